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
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.servers.security.SecurityInfo;

final class PeerSecurity {
    private PeerSecurity() {
    }

    // Takes files in PEM: the server's key and its public half, for raw public keys; or its key, its certificate and
    // the authority of its clients. Without files there are pre-shared keys alone.
    static void configure(LeshanServerBuilder builder, List<String> files)
            throws IOException, GeneralSecurityException {
        if (files.isEmpty()) {
            return;
        }
        KeyFactory factory = KeyFactory.getInstance("EC");
        builder.setPrivateKey(factory.generatePrivate(new PKCS8EncodedKeySpec(der(files.get(0)))));
        if (files.size() == 2) {
            builder.setPublicKey(factory.generatePublic(new X509EncodedKeySpec(der(files.get(1)))));
        } else {
            builder.setCertificateChain(new X509Certificate[] { certificate(files.get(1)) });
            builder.setTrustedCertificates(new X509Certificate[] { certificate(files.get(2)) });
        }
    }

    static byte[] der(String file) throws IOException {
        return Base64.getDecoder().decode(Files.readString(Path.of(file)).replaceAll("-----[^-]+-----|\\s", ""));
    }

    static X509Certificate certificate(String file) throws IOException, GeneralSecurityException {
        ByteArrayInputStream der = new ByteArrayInputStream(der(file));
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(der);
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
