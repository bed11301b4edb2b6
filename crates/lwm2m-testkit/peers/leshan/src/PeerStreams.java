// coap+tcp and coaps+tcp for the Leshan client: each of its endpoints is a PeerStream.

import java.net.InetAddress;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.net.SocketFactory;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509KeyManager;
import javax.net.ssl.X509TrustManager;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.TcpConfig;
import org.eclipse.leshan.client.endpoint.ClientEndpointToolbox;
import org.eclipse.leshan.client.servers.ServerInfo;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.identity.DefaultCoapsIdentityHandler;
import org.eclipse.leshan.transport.californium.identity.IdentityHandler;

final class PeerStreams extends CoapClientProtocolProvider {
    private final Protocol protocol;

    PeerStreams(Protocol protocol) {
        this.protocol = protocol;
    }

    @Override
    public Protocol getProtocol() {
        return protocol;
    }

    @Override
    public List<Configuration.ModuleDefinitionsProvider> getModuleDefinitionsProviders() {
        List<Configuration.ModuleDefinitionsProvider> all = new ArrayList<>(super.getModuleDefinitionsProviders());
        all.add(TcpConfig.DEFINITIONS);
        return all;
    }

    @Override
    public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
        return new Factory();
    }

    private final class Factory extends CoapClientEndpointFactory {
        @Override
        public Protocol getProtocol() {
            return protocol;
        }

        @Override
        public String getEndpointDescription() {
            return protocol.getName();
        }

        @Override
        public CoapEndpoint createCoapEndpoint(InetAddress client, Configuration configuration, ServerInfo server,
                boolean initiated, List<Certificate> trusted, ClientEndpointToolbox toolbox) {
            try {
                SocketFactory sockets = server.isSecure() ? tls(server) : SocketFactory.getDefault();
                CoapEndpoint.Builder builder = new CoapEndpoint.Builder();
                builder.setConfiguration(configuration);
                builder.setConnector(new PeerStream(server.getAddress(), sockets));
                return builder.build();
            } catch (GeneralSecurityException e) {
                throw new IllegalArgumentException(e);
            }
        }

        @Override
        public IdentityHandler createIdentityHandler() {
            return protocol == Protocol.COAPS_TCP ? new DefaultCoapsIdentityHandler() : super.createIdentityHandler();
        }
    }

    // The JDK has certificates alone.
    private static SocketFactory tls(ServerInfo server) throws GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLSv1.2");
        context.init(new KeyManager[] { new Own(server) }, new TrustManager[] { new Theirs(server) }, null);
        return context.getSocketFactory();
    }

    private static final class Own implements X509KeyManager {
        private static final String ALIAS = "own";
        private final ServerInfo account;

        Own(ServerInfo account) {
            this.account = account;
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return ALIAS;
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return account.getX509ClientCertificates();
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return account.privateKey;
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return new String[] { ALIAS };
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return new String[0];
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return null;
        }
    }

    // The server's certificate is the one of the account.
    private static final class Theirs implements X509TrustManager {
        private final ServerInfo account;

        Theirs(ServerInfo account) {
            this.account = account;
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
            if (!chain[0].equals(account.serverCertificate)) {
                throw new CertificateException("another server");
            }
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
            throw new CertificateException("a client has no clients");
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
