// A LwM2M client on Eclipse Leshan's library, for tests: objects 1, 3, 3303 on loopback.
// Usage: PeerClient ENDPOINT SERVER_URI LIFETIME_SECONDS [SECURITY]     SECURITY: see PeerAccount, with a coaps or
// coaps+tcp URI. Connections are those of PeerStream; Leshan's own for them are in no repository.
// With the environment variable PEER_BOOTSTRAP the URI is that of a bootstrap server, which tells the rest.
// Prints one line per event: "bootstrapped", "registered LOCATION", "updated", "deregistered", "failed WHY".
// With the environment variable PEER_QUEUE_MODE it is in queue mode. Deregisters and ends when its standard input closes.

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

public final class PeerClient {
    private static final int SHORT_SERVER_ID = 123;

    public static void main(String[] args) throws Exception {
        String endpoint = args[0];
        String serverUri = args[1];
        long lifetime = Long.parseLong(args[2]);
        String[] security = Arrays.copyOfRange(args, 3, args.length);
        LeshanClient client = build(endpoint, serverUri, lifetime, security);
        client.addObserver(new Reporter());
        client.start();
        while (System.in.read() != -1) {
            client.triggerRegistrationUpdate();
        }
        client.destroy(true);
        // Without its server the library leaves threads behind.
        System.exit(0);
    }

    private static LeshanClient build(String endpoint, String serverUri, long lifetime, String[] security)
            throws Exception {
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadDefault());
        models.add(PeerTemperature.MODEL);
        ObjectsInitializer objects = new ObjectsInitializer(new StaticModel(models));
        BindingMode binding = serverUri.contains("+tcp:") ? BindingMode.T : BindingMode.U;
        if (System.getenv("PEER_BOOTSTRAP") != null) {
            objects.setInstancesForObject(0, PeerAccount.ofBootstrap(serverUri, security));
            objects.setClassForObject(1, Server.class);
        } else {
            objects.setInstancesForObject(0, PeerAccount.of(serverUri, SHORT_SERVER_ID, security));
            objects.setInstancesForObject(1,
                    new Server(SHORT_SERVER_ID, lifetime, EnumSet.of(binding), false, binding));
        }
        objects.setInstancesForObject(3, new PeerDevice().by(binding));
        objects.setInstancesForObject(PeerTemperature.ID, new PeerTemperature());
        objects.setClassForObject(PeerTemperature.ID, PeerTemperature.class);

        DefaultRegistrationEngineFactory engine = new DefaultRegistrationEngineFactory();
        engine.setQueueMode(System.getenv("PEER_QUEUE_MODE") != null);
        engine.setRequestTimeoutInMs(5_000).setDeregistrationTimeoutInMs(2_000).setRetryWaitingTimeInMs(1_000);

        CaliforniumClientEndpointsProvider.Builder transport = new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider(), new CoapsClientProtocolProvider(),
                new PeerStreams(Protocol.COAP_TCP), new PeerStreams(Protocol.COAPS_TCP));
        Configuration configuration = transport.createDefaultConfiguration();
        // Asks for a Connection ID of the server and gives it none.
        configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, 0);
        transport.setConfiguration(configuration);
        transport.setClientAddress(InetAddress.getLoopbackAddress());

        LeshanClientBuilder builder = new LeshanClientBuilder(endpoint);
        builder.setObjects(objects.create(0, 1, 3, PeerTemperature.ID));
        builder.setRegistrationEngineFactory(engine);
        builder.setEndpointsProviders(transport.build());
        return builder.build();
    }

    private static final class Reporter extends LwM2mClientObserverAdapter {
        @Override
        public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
            System.out.println("bootstrapped");
        }

        @Override
        public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code,
                String message, Exception cause) {
            System.out.println("failed " + code + " " + message + " " + cause);
        }

        @Override
        public void onBootstrapTimeout(LwM2mServer server, BootstrapRequest request) {
            System.out.println("failed no answer to the bootstrap request");
        }

        @Override
        public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String location) {
            System.out.println("registered " + location);
        }

        @Override
        public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code,
                String message, Exception cause) {
            System.out.println("failed " + code + " " + message + " " + cause);
        }

        @Override
        public void onRegistrationTimeout(LwM2mServer server, RegisterRequest request) {
            System.out.println("failed no answer to Register");
        }

        @Override
        public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
            System.out.println("updated");
        }

        @Override
        public void onDeregistrationSuccess(LwM2mServer server, DeregisterRequest request) {
            System.out.println("deregistered");
        }

        @Override
        public void onUnexpectedError(Throwable cause) {
            System.out.println("failed " + cause);
        }
    }
}
