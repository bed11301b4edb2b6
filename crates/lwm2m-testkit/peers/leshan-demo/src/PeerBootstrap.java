// A bootstrap server on Eclipse Leshan's library, for tests: it tells one device one server. The newer milestone has
// none in the repositories.
// Usage: PeerBootstrap ENDPOINT IDENTITY KEY URI MODE OWN PEER SECRET
// The device comes with that pre-shared key, or without security if IDENTITY is "-". It is told the server at URI with
// the security MODE (NO_SEC, PSK, RPK, X509), its public key, identity or certificate (OWN), the server's (PEER) and its
// secret key (SECRET). All keys are in hex, "" for none.
// Listens on free ports of 127.0.0.1. Prints "bootstrapping COAP_PORT COAPS_PORT", and one line for each bootstrap: "end"
// or "failed WHY". Ends when its standard input closes.

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import org.eclipse.leshan.core.SecurityMode;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.server.bootstrap.BootstrapConfig;
import org.eclipse.leshan.server.bootstrap.BootstrapFailureCause;
import org.eclipse.leshan.server.bootstrap.BootstrapSession;
import org.eclipse.leshan.server.bootstrap.BootstrapSessionAdapter;
import org.eclipse.leshan.server.bootstrap.InMemoryBootstrapConfigStore;
import org.eclipse.leshan.server.californium.bootstrap.LeshanBootstrapServer;
import org.eclipse.leshan.server.californium.bootstrap.LeshanBootstrapServerBuilder;
import org.eclipse.leshan.server.security.BootstrapSecurityStore;
import org.eclipse.leshan.server.security.SecurityInfo;
import org.slf4j.LoggerFactory;

public final class PeerBootstrap {
    private static final int SHORT_SERVER_ID = 123;

    public static void main(String[] args) throws Exception {
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.OFF);
        SecurityInfo factory = SecurityInfo.newPreSharedKeyInfo(args[0], args[1], hex(args[2]));
        InMemoryBootstrapConfigStore store = new InMemoryBootstrapConfigStore();
        store.add(args[0], configuration(Arrays.copyOfRange(args, 3, args.length)));
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        LeshanBootstrapServerBuilder builder = new LeshanBootstrapServerBuilder();
        builder.setLocalAddress(anyPort).setLocalSecureAddress(anyPort);
        builder.setConfigStore(store).setSecurityStore(new Factory(factory));
        LeshanBootstrapServer server = builder.build();
        server.addListener(new Reporter());
        server.start();
        System.out.println("bootstrapping " + server.getUnsecuredAddress().getPort() + " "
                + server.getSecuredAddress().getPort());
        while (System.in.read() != -1) {
            continue;
        }
        System.exit(0);
    }

    private static BootstrapConfig configuration(String[] account) {
        BootstrapConfig.ServerSecurity security = new BootstrapConfig.ServerSecurity();
        security.uri = account[0];
        security.securityMode = SecurityMode.valueOf(account[1]);
        security.publicKeyOrId = hex(account[2]);
        security.serverPublicKey = hex(account[3]);
        security.secretKey = hex(account[4]);
        security.serverId = SHORT_SERVER_ID;
        BootstrapConfig.ServerConfig server = new BootstrapConfig.ServerConfig();
        server.shortId = SHORT_SERVER_ID;
        server.lifetime = 300;
        server.binding = EnumSet.of(BindingMode.U);
        BootstrapConfig configuration = new BootstrapConfig();
        configuration.toDelete = List.of("/0", "/1");
        configuration.security.put(1, security);
        configuration.servers.put(0, server);
        return configuration;
    }

    private static byte[] hex(String digits) {
        byte[] bytes = new byte[digits.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }

    private static final class Factory implements BootstrapSecurityStore {
        private final SecurityInfo device;

        private Factory(SecurityInfo device) {
            this.device = device;
        }

        @Override
        public SecurityInfo getByIdentity(String identity) {
            return identity.equals(device.getIdentity()) ? device : null;
        }

        @Override
        public Iterator<SecurityInfo> getAllByEndpoint(String endpoint) {
            // null: it comes without security.
            return device.getIdentity().equals("-") ? null : List.of(device).iterator();
        }
    }

    private static final class Reporter extends BootstrapSessionAdapter {
        @Override
        public void end(BootstrapSession session) {
            System.out.println("end");
        }

        @Override
        public void failed(BootstrapSession session, BootstrapFailureCause cause) {
            System.out.println("failed " + cause);
        }
    }
}
