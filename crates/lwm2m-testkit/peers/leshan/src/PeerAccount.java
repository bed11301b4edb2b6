// The account of the Leshan client in each security mode, from arguments.
// Its server may be a bootstrap server, which tells it another one.
// Usage: psk IDENTITY KEY_IN_HEX | rpk PUBLIC_KEY PRIVATE_KEY SERVER_PUBLIC_KEY | x509 CERTIFICATE PRIVATE_KEY SERVER_CERTIFICATE
// Public keys are files in DER (SubjectPublicKeyInfo), private keys and certificates are files in PEM.

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import org.eclipse.leshan.client.object.Security;

final class PeerAccount {
    private PeerAccount() {
    }

    // The account of the server at a URI; args from the mode on, none for no security.
    static Security of(String serverUri, int shortServerId, String[] args) throws IOException, GeneralSecurityException {
        if (args.length == 0) {
            return Security.noSec(serverUri, shortServerId);
        }
        switch (args[0]) {
        case "psk":
            byte[] identity = args[1].getBytes(StandardCharsets.UTF_8);
            return Security.psk(serverUri, shortServerId, identity, HexFormat.of().parseHex(args[2]));
        case "rpk":
            return Security.rpk(serverUri, shortServerId, Files.readAllBytes(Path.of(args[1])),
                    PeerSecurity.der(args[2]), Files.readAllBytes(Path.of(args[3])));
        case "x509":
            return Security.x509(serverUri, shortServerId, certificate(args[1]), PeerSecurity.der(args[2]),
                    certificate(args[3]));
        default:
            throw new IllegalArgumentException("unknown mode " + args[0]);
        }
    }

    // The same of a bootstrap server.
    static Security ofBootstrap(String uri, String[] args) throws IOException, GeneralSecurityException {
        if (args.length == 0) {
            return Security.noSecBootstrap(uri);
        }
        switch (args[0]) {
        case "psk":
            byte[] identity = args[1].getBytes(StandardCharsets.UTF_8);
            return Security.pskBootstrap(uri, identity, HexFormat.of().parseHex(args[2]));
        case "rpk":
            return Security.rpkBootstrap(uri, Files.readAllBytes(Path.of(args[1])), PeerSecurity.der(args[2]),
                    Files.readAllBytes(Path.of(args[3])));
        case "x509":
            return Security.x509Bootstrap(uri, certificate(args[1]), PeerSecurity.der(args[2]), certificate(args[3]));
        default:
            throw new IllegalArgumentException("unknown mode " + args[0]);
        }
    }

    private static byte[] certificate(String file) throws IOException, GeneralSecurityException {
        return PeerSecurity.certificate(file).getEncoded();
    }
}
