// Keys and certificates of the test server, and the credentials of its clients in the JSON of Leshan's demo server.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.servers.security.SecurityInfo;

final class PeerSecurity {
    private PeerSecurity() {
    }

    // Takes files in PEM: the server's key, its certificate, and the authority of its clients. With a certificate
    // Leshan does both, raw public keys and X.509.
    static void configure(LeshanServerBuilder builder, String key, String certificate, String authority)
            throws IOException, GeneralSecurityException {
        builder.setPrivateKey(privateKey(Path.of(key)));
        builder.setCertificateChain(new X509Certificate[] { certificate(Path.of(certificate)) });
        builder.setTrustedCertificates(new X509Certificate[] { certificate(Path.of(authority)) });
    }

    static PrivateKey privateKey(Path file) throws IOException, GeneralSecurityException {
        String pem = Files.readString(file).replaceAll("-----[^-]+-----|\\s", "");
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    }

    static X509Certificate certificate(Path file) throws IOException, GeneralSecurityException {
        ByteArrayInputStream pem = new ByteArrayInputStream(Files.readAllBytes(file));
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(pem);
    }

    static SecurityInfo credentials(byte[] json) throws IOException, GeneralSecurityException {
        JsonNode body = new ObjectMapper().readTree(new String(json, StandardCharsets.UTF_8));
        String endpoint = body.required("endpoint").asText();
        JsonNode tls = body.required("tls");
        JsonNode details = tls.path("details");
        switch (tls.required("mode").asText()) {
        case "psk":
            return SecurityInfo.newPreSharedKeyInfo(endpoint, details.required("identity").asText(),
                    HexFormat.of().parseHex(details.required("key").asText()));
        case "rpk":
            byte[] spki = HexFormat.of().parseHex(details.required("key").asText());
            return SecurityInfo.newRawPublicKeyInfo(endpoint,
                    KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(spki)));
        case "x509":
            return SecurityInfo.newX509CertInfo(endpoint);
        default:
            throw new IllegalArgumentException("unknown mode");
        }
    }
}
