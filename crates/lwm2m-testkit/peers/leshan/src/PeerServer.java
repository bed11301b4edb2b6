// A LwM2M server on Eclipse Leshan's library, for tests, driven over HTTP in the dialect of Leshan's demo server.
// Usage: PeerServer [CID_LENGTH [KEY PUBLIC_KEY | KEY CERTIFICATE AUTHORITY]]     0: it takes Connection IDs, gives none
// Listens on free ports of 127.0.0.1, prints "listening COAP_PORT HTTP_PORT" and then "secured COAPS_PORT". Credentials
// of clients are set by PUT /api/security/clients. The environment variable PEER_AWAKE_SECONDS says how long clients in
// queue mode listen. Ends when its standard input closes.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.link.attributes.InvalidAttributeException;
import org.eclipse.leshan.core.link.lwm2m.attributes.DefaultLwM2mAttributeParser;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.CreateRequest;
import org.eclipse.leshan.core.request.DeleteRequest;
import org.eclipse.leshan.core.request.DiscoverRequest;
import org.eclipse.leshan.core.request.DownlinkDeviceManagementRequest;
import org.eclipse.leshan.core.request.ExecuteRequest;
import org.eclipse.leshan.core.request.ObserveCompositeRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadCompositeRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.WriteAttributesRequest;
import org.eclipse.leshan.core.request.WriteCompositeRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.model.VersionedModelProvider;
import org.eclipse.leshan.server.queue.StaticClientAwakeTimeProvider;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.servers.security.InMemorySecurityStore;
import org.eclipse.leshan.servers.security.NonUniqueSecurityInfoException;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coap.CoapServerProtocolProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coaps.CoapsServerProtocolProvider;

public final class PeerServer {
    private static final long TIMEOUT_MS = 5_000;
    private final LeshanServer server;
    private final PeerEvents events = new PeerEvents();
    private final InMemorySecurityStore security = new InMemorySecurityStore();

    public static void main(String[] args) throws Exception {
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        PeerServer peer = new PeerServer(anyPort, args);
        HttpServer http = HttpServer.create(anyPort, 0);
        http.setExecutor(Executors.newCachedThreadPool(PeerServer::daemon));
        http.createContext("/api/clients", peer::answer);
        http.createContext("/api/security/clients", peer::learn);
        http.createContext("/api/event", peer.events::stream);
        http.start();
        int coapPort = peer.server.getEndpoint(Protocol.COAP).getURI().getPort();
        int coapsPort = peer.server.getEndpoint(Protocol.COAPS).getURI().getPort();
        System.out.println("listening " + coapPort + " " + http.getAddress().getPort());
        System.out.println("secured " + coapsPort);
        while (System.in.read() != -1) {
            continue;
        }
        System.exit(0);
    }

    private PeerServer(InetSocketAddress anyPort, String[] args) throws IOException, GeneralSecurityException {
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadAllDefault());
        models.add(PeerTemperature.MODEL);
        CaliforniumServerEndpointsProvider.Builder transport = new CaliforniumServerEndpointsProvider.Builder(
                new CoapServerProtocolProvider(), new CoapsServerProtocolProvider());
        Configuration configuration = transport.createDefaultConfiguration();
        // The suites of LwM2M are none that its DTLS recommends.
        configuration.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
        configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, args.length > 0 ? Integer.valueOf(args[0]) : null);
        // A certificate of a server is not one for clients, too.
        configuration.set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.SERVER_ONLY);
        transport.setConfiguration(configuration);
        transport.addEndpoint(anyPort, Protocol.COAP);
        transport.addEndpoint(anyPort, Protocol.COAPS);
        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setSecurityStore(security);
        PeerSecurity.configure(builder, Arrays.asList(args).subList(Math.min(1, args.length), args.length));
        builder.setObjectModelProvider(new VersionedModelProvider(models));
        builder.setEndpointsProviders(transport.build());
        String awake = System.getenv("PEER_AWAKE_SECONDS");
        if (awake != null) {
            builder.setClientAwakeTimeProvider(new StaticClientAwakeTimeProvider(1_000 * Integer.parseInt(awake)));
        }
        server = builder.build();
        server.getPresenceService().addListener(events);
        server.getRegistrationService().addListener(events);
        server.getObservationService().addListener(events);
        server.start();
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }

    private void answer(HttpExchange http) throws IOException {
        try {
            dispatch(http);
        } catch (RuntimeException | InvalidAttributeException | JsonProcessingException e) {
            send(http, 400, "Invalid request: " + e.getMessage());
        } catch (InterruptedException e) {
            send(http, 500, "interrupted");
        }
    }

    private void learn(HttpExchange http) throws IOException {
        try {
            security.add(PeerSecurity.credentials(http.getRequestBody().readAllBytes()));
            send(http, 204, "");
        } catch (RuntimeException | GeneralSecurityException | NonUniqueSecurityInfoException e) {
            send(http, 400, "Invalid request: " + e.getMessage());
        }
    }

    private void dispatch(HttpExchange http) throws IOException, InterruptedException, InvalidAttributeException {
        String[] path = http.getRequestURI().getPath().substring("/api/clients".length()).split("/");
        if (path.length < 2) {
            ArrayNode all = JsonNodeFactory.instance.arrayNode();
            server.getRegistrationService().getAllRegistrations()
                    .forEachRemaining(registration -> all.add(PeerJson.registration(registration)));
            send(http, 200, all.toString());
            return;
        }
        Registration registration = server.getRegistrationService().getByEndpoint(path[1]);
        if (registration == null) {
            send(http, 400, "no registered client with id '" + path[1] + "'");
        } else if (path.length == 2) {
            send(http, 200, PeerJson.registration(registration).toString());
        } else {
            operate(http, registration, Arrays.asList(path).subList(2, path.length));
        }
    }

    private void operate(HttpExchange http, Registration registration, List<String> path)
            throws IOException, InterruptedException, InvalidAttributeException {
        String verb = path.get(path.size() - 1);
        boolean named = !Character.isDigit(verb.charAt(0));
        String target = "/" + String.join("/", named ? path.subList(0, path.size() - 1) : path);
        String method = http.getRequestMethod() + (named ? " " + verb : "");
        if (method.equals("DELETE observe")) {
            if (target.equals("/composite")) {
                server.getObservationService().cancelCompositeObservations(registration, paths(http));
            } else {
                server.getObservationService().cancelObservations(registration, target);
            }
            send(http, 200, "");
            return;
        }
        DownlinkDeviceManagementRequest<?> request = request(http, method, target, path.size());
        LwM2mResponse response = server.send(registration, request, TIMEOUT_MS);
        if (response == null) {
            send(http, 504, "Request timeout");
        } else {
            send(http, 200, PeerJson.response(response).toString());
        }
    }

    private static DownlinkDeviceManagementRequest<?> request(HttpExchange http, String method, String target,
            int depth) throws IOException, InvalidAttributeException {
        ContentFormat format = format(http, "format");
        switch (method) {
        case "GET composite":
            return new ReadCompositeRequest(format(http, "pathformat"), format(http, "nodeformat"), paths(http));
        case "PUT composite":
            return new WriteCompositeRequest(format(http, "nodeformat"), PeerJson.nodes(body(http)), null);
        case "GET":
            return new ReadRequest(format, target);
        case "GET discover":
            return new DiscoverRequest(target);
        case "PUT":
            boolean replace = !String.valueOf(http.getRequestURI().getQuery()).contains("replace=false");
            return new WriteRequest(replace ? WriteRequest.Mode.REPLACE : WriteRequest.Mode.UPDATE, format, target,
                    node(http, target));
        case "PUT attributes":
            return new WriteAttributesRequest(target, new LwM2mAttributeSet(
                    new DefaultLwM2mAttributeParser().parseUriQuery(http.getRequestURI().getQuery())));
        case "POST observe":
            if (target.equals("/composite")) {
                return new ObserveCompositeRequest(format(http, "pathformat"), format(http, "nodeformat"),
                        paths(http));
            }
            return new ObserveRequest(format, target);
        case "POST":
            return depth == 3 ? new ExecuteRequest(target, body(http)) : create(http, format, target);
        case "DELETE":
            return new DeleteRequest(target);
        default:
            throw new IllegalArgumentException("unsupported " + method);
        }
    }

    private static CreateRequest create(HttpExchange http, ContentFormat format, String target) throws IOException {
        LwM2mObjectInstance instance = (LwM2mObjectInstance) node(http, target);
        if (instance.getId() == LwM2mObjectInstance.UNDEFINED) {
            return new CreateRequest(format, target, instance.getResources().values());
        }
        return new CreateRequest(format, target, instance);
    }

    private static LwM2mNode node(HttpExchange http, String target) throws IOException {
        String type = String.valueOf(http.getRequestHeaders().getFirst("Content-Type"));
        if (type.startsWith("text/plain")) {
            return PeerJson.text(target, body(http));
        }
        return PeerJson.node(body(http));
    }

    private static ContentFormat format(HttpExchange http, String name) {
        String value = parameter(http, name);
        return value == null ? null : ContentFormat.fromName(value.toUpperCase());
    }

    private static String[] paths(HttpExchange http) {
        return String.valueOf(parameter(http, "paths")).split(",");
    }

    private static String parameter(HttpExchange http, String name) {
        for (String pair : String.valueOf(http.getRequestURI().getQuery()).split("&")) {
            if (pair.startsWith(name + "=")) {
                return pair.substring(name.length() + 1);
            }
        }
        return null;
    }

    private static String body(HttpExchange http) throws IOException {
        return new String(http.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static void send(HttpExchange http, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        http.getResponseHeaders().set("Content-Type", status == 200 ? "application/json" : "text/plain");
        http.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        http.getResponseBody().write(bytes);
        http.close();
    }
}
