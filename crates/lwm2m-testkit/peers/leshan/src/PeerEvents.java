// Registrations, notifications and the sleep of clients as server-sent events.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.queue.PresenceListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;

final class PeerEvents implements RegistrationListener, ObservationListener, PresenceListener {
    private final List<OutputStream> streams = new CopyOnWriteArrayList<>();

    void stream(HttpExchange http) throws IOException {
        http.getResponseHeaders().set("Content-Type", "text/event-stream;charset=utf-8");
        http.sendResponseHeaders(200, 0);
        http.getResponseBody().flush();
        streams.add(http.getResponseBody());
    }

    private synchronized void emit(String event, JsonNode data) {
        byte[] bytes = ("event: " + event + "\r\ndata: " + data + "\r\n\r\n").getBytes(StandardCharsets.UTF_8);
        for (OutputStream stream : streams) {
            try {
                stream.write(bytes);
                stream.flush();
            } catch (IOException e) {
                streams.remove(stream);
            }
        }
    }

    @Override
    public void registered(Registration registration, Registration previous, Collection<Observation> observations) {
        emit("REGISTRATION", PeerJson.registration(registration));
    }

    @Override
    public void updated(RegistrationUpdate update, Registration registration, Registration previous) {
        ObjectNode data = JsonNodeFactory.instance.objectNode();
        data.set("registration", PeerJson.registration(registration));
        data.putObject("update").put("registrationId", update.getRegistrationId()).put("lifetime",
                update.getLifeTimeInSec());
        emit("UPDATED", data);
    }

    @Override
    public void unregistered(Registration registration, Collection<Observation> observations, boolean expired,
            Registration replacement) {
        emit("DEREGISTRATION", PeerJson.registration(registration));
    }

    @Override
    public void onResponse(SingleObservation observation, Registration registration, ObserveResponse response) {
        ObjectNode data = JsonNodeFactory.instance.objectNode();
        data.put("ep", registration.getEndpoint()).put("kind", "single").put("res", observation.getPath().toString());
        data.set("val", PeerJson.node(response.getContent()));
        emit("NOTIFICATION", data);
    }

    @Override
    public void onError(Observation observation, Registration registration, Exception error) {
        System.out.println("failed notification " + error);
    }

    @Override
    public void onResponse(CompositeObservation observation, Registration registration,
            ObserveCompositeResponse response) {
        ObjectNode data = JsonNodeFactory.instance.objectNode();
        data.put("ep", registration.getEndpoint()).put("kind", "composite");
        data.set("val", PeerJson.nodes(response.getContent()));
        observation.getPaths().forEach(path -> data.withArray("paths").add(path.toString()));
        emit("NOTIFICATION", data);
    }

    @Override
    public void onAwake(Registration registration) {
        emit("AWAKE", PeerJson.registration(registration));
    }

    @Override
    public void onSleeping(Registration registration) {
        emit("SLEEPING", PeerJson.registration(registration));
    }

    @Override
    public void newObservation(Observation observation, Registration registration) {
    }

    @Override
    public void cancelled(Observation observation) {
    }
}
