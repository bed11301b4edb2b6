// A DTLS endpoint of Scandium: java PeerDtls server|client PORT SECURITY [DTLS.NAME=VALUE ...]
//   SECURITY is psk=IDENTITY:HEX, rpk=KEY.pem:PUBLIC.pem:TRUSTED.pem (public halves) or
//   x509=KEY.pem:CERTIFICATE.pem,...:TRUSTED.pem; names and values of the rest are Californium's own.
// A server on that port of loopback sends back what it gets. A client of a server there sends every line of its input;
// before the line after `resume` it resumes its session, and `close` ends it.
// It says `listening PORT`, `connected SUITE full|resumed CID`, `data TEXT`, `failed WHY` and `alert NAME`.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import org.eclipse.californium.elements.AddressEndpointContext;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.auth.RawPublicKeyIdentity;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConfig.DtlsRole;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.DTLSContext;
import org.eclipse.californium.scandium.dtls.Handshaker;
import org.eclipse.californium.scandium.dtls.SessionListener;
import org.eclipse.californium.scandium.dtls.pskstore.SinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticCertificateVerifier;

final class PeerDtls {
    /** The name in the certificate of our server. */
    private static final String SERVER_NAME = "server.example.com";

    private PeerDtls() {
    }

    public static void main(String[] arguments) throws Exception {
        boolean isServer = arguments[0].equals("server");
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(),
                Integer.parseInt(arguments[1]));
        DtlsConnectorConfig.Builder builder = DtlsConnectorConfig.builder(configuration(arguments, isServer));
        builder.setAddress(isServer ? address : new InetSocketAddress(address.getAddress(), 0));
        configure(builder, arguments[2]);
        builder.setSessionListener(new Listener());
        DTLSConnector connector = new DTLSConnector(builder.build());
        connector.setAlertHandler((peer, alert) -> say("alert " + alert.getDescription()));
        connector.setRawDataReceiver(data -> {
            say("data " + new String(data.getBytes(), StandardCharsets.UTF_8).trim());
            if (isServer) {
                connector.send(RawData.outbound(data.getBytes(), data.getEndpointContext(), null, false));
            }
        });
        connector.start();
        say("listening " + connector.getAddress().getPort());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            if (line.equals("resume")) {
                connector.forceResumeAllSessions();
            } else if (line.equals("close")) {
                connector.close(address);
            } else {
                AddressEndpointContext to = new AddressEndpointContext(address, SERVER_NAME, null);
                connector.send(RawData.outbound(line.getBytes(StandardCharsets.UTF_8), to, null, false));
            }
        }
        connector.destroy();
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static Configuration configuration(String[] arguments, boolean isServer) {
        DtlsConfig.register();
        Configuration configuration = new Configuration();
        configuration.set(DtlsConfig.DTLS_ROLE, isServer ? DtlsRole.SERVER_ONLY : DtlsRole.CLIENT_ONLY);
        configuration.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
        configuration.set(DtlsConfig.DTLS_USE_SERVER_NAME_INDICATION, true);
        Properties properties = new Properties();
        for (int place = 3; place < arguments.length; place++) {
            String[] pair = arguments[place].split("=", 2);
            properties.setProperty(pair[0], pair[1]);
        }
        configuration.add(properties);
        return configuration;
    }

    private static void configure(DtlsConnectorConfig.Builder builder, String security)
            throws IOException, GeneralSecurityException {
        String[] parts = security.substring(security.indexOf('=') + 1).split(":");
        if (security.startsWith("psk=")) {
            int colon = security.lastIndexOf(':');
            String identity = security.substring("psk=".length(), colon);
            builder.setPskStore(new SinglePskStore(identity, HexFormat.of().parseHex(security.substring(colon + 1))));
            return;
        }
        KeyFactory factory = KeyFactory.getInstance("EC");
        PrivateKey key = factory.generatePrivate(new PKCS8EncodedKeySpec(der(parts[0])));
        StaticCertificateVerifier.Builder verifier = StaticCertificateVerifier.builder();
        if (security.startsWith("rpk=")) {
            PublicKey own = factory.generatePublic(new X509EncodedKeySpec(der(parts[1])));
            PublicKey trusted = factory.generatePublic(new X509EncodedKeySpec(der(parts[2])));
            builder.setCertificateIdentityProvider(new SingleCertificateProvider(key, own));
            verifier.setTrustedRPKs(new RawPublicKeyIdentity(trusted));
        } else {
            Certificate[] chain = certificates(parts[1]);
            builder.setCertificateIdentityProvider(new SingleCertificateProvider(key, chain, CertificateType.X_509));
            verifier.setTrustedCertificates(certificates(parts[2]));
        }
        builder.setCertificateVerifier(verifier.build());
    }

    private static byte[] der(String file) throws IOException {
        return Base64.getDecoder().decode(Files.readString(Path.of(file)).replaceAll("-----[^-]+-----|\\s", ""));
    }

    private static Certificate[] certificates(String files) throws IOException, GeneralSecurityException {
        List<Certificate> certificates = new ArrayList<>();
        for (String file : files.split(",")) {
            try (InputStream pem = new FileInputStream(file)) {
                certificates.add(CertificateFactory.getInstance("X.509").generateCertificate(pem));
            }
        }
        return certificates.toArray(new Certificate[0]);
    }

    private static final class Listener implements SessionListener {
        @Override
        public void handshakeStarted(Handshaker handshaker) {
        }

        @Override
        public void contextEstablished(Handshaker handshaker, DTLSContext context) {
            boolean isResumed = handshaker.getClass().getSimpleName().startsWith("Resum");
            String suite = context.getSession().getCipherSuite().name();
            say("connected " + suite + (isResumed ? " resumed" : " full") + " " + context.getWriteConnectionId());
        }

        @Override
        public void handshakeCompleted(Handshaker handshaker) {
        }

        @Override
        public void handshakeFailed(Handshaker handshaker, Throwable error) {
            say("failed " + error.getMessage());
        }

        @Override
        public void handshakeFlightRetransmitted(Handshaker handshaker, int flight) {
        }
    }
}
