// The account of the Leshan client in each security mode, from arguments; all bytes in hex.
// Usage: psk IDENTITY KEY | rpk PUBLIC_KEY PRIVATE_KEY SERVER_PUBLIC_KEY | x509 CERTIFICATE PRIVATE_KEY SERVER_CERTIFICATE
// Keys are DER: SubjectPublicKeyInfo and PKCS #8. The identity is text.

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.eclipse.leshan.client.object.Security;

final class PeerAccount {
    private PeerAccount() {
    }

    // The account of the server at a URI; args from the mode on, none for no security.
    static Security of(String serverUri, int shortServerId, String[] args) {
        if (args.length == 0) {
            return Security.noSec(serverUri, shortServerId);
        }
        switch (args[0]) {
        case "psk":
            return Security.psk(serverUri, shortServerId, args[1].getBytes(StandardCharsets.UTF_8), hex(args[2]));
        case "rpk":
            return Security.rpk(serverUri, shortServerId, hex(args[1]), hex(args[2]), hex(args[3]));
        case "x509":
            return Security.x509(serverUri, shortServerId, hex(args[1]), hex(args[2]), hex(args[3]));
        default:
            throw new IllegalArgumentException("unknown mode " + args[0]);
        }
    }

    private static byte[] hex(String text) {
        return HexFormat.of().parseHex(text);
    }
}
