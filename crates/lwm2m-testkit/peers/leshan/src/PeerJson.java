// The JSON of the dialect, to and from the library's nodes, registrations and responses.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.link.attributes.Attribute;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mChildNode;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObject;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.response.CreateResponse;
import org.eclipse.leshan.core.response.DiscoverResponse;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ReadCompositeResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.util.Hex;
import org.eclipse.leshan.server.registration.Registration;

final class PeerJson {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    static ObjectNode registration(Registration registration) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("endpoint", registration.getEndpoint());
        json.put("registrationId", registration.getId());
        json.put("registrationDate", registration.getRegistrationDate().getTime());
        json.put("lastUpdate", registration.getLastUpdate().getTime());
        json.put("address", registration.getAddress().getHostAddress() + ":" + registration.getPort());
        json.put("lwM2mVersion", registration.getLwM2mVersion().toString());
        json.put("lifetime", registration.getLifeTimeInSec());
        json.put("bindingMode", BindingMode.toString(registration.getBindingMode()));
        json.put("rootPath", registration.getRootPath());
        json.set("objectLinks", links(registration.getObjectLinks()));
        return json;
    }

    private static ArrayNode links(Link[] links) {
        ArrayNode json = JsonNodeFactory.instance.arrayNode();
        for (Link link : links) {
            ObjectNode attributes = json.addObject().put("url", link.getUriReference()).putObject("attributes");
            for (Attribute attribute : link.getAttributes()) {
                attributes.put(attribute.getName(), attribute.getCoreLinkValue());
            }
        }
        return json;
    }

    static ObjectNode response(LwM2mResponse response) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("status", response.getCode().toString());
        json.put("valid", response.isValid()).put("success", response.isSuccess()).put("failure", response.isFailure());
        if (response instanceof ReadCompositeResponse && response.isSuccess()) {
            json.set("content", nodes(((ReadCompositeResponse) response).getContent()));
        } else if (response instanceof ReadResponse && response.isSuccess()) {
            json.set("content", node(((ReadResponse) response).getContent()));
        } else if (response instanceof DiscoverResponse && response.isSuccess()) {
            json.set("objectLinks", links(((DiscoverResponse) response).getObjectLinks()));
        } else if (response instanceof CreateResponse) {
            json.put("location", ((CreateResponse) response).getLocation());
        }
        String diagnostic = response.getErrorMessage();
        if (response.isFailure() && diagnostic != null && !diagnostic.isEmpty()) {
            json.put("errormessage", diagnostic);
        }
        return json;
    }

    static ObjectNode nodes(Map<LwM2mPath, LwM2mNode> nodes) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        nodes.forEach((path, node) -> json.set(path.toString(), node == null ? null : node(node)));
        return json;
    }

    static ObjectNode node(LwM2mNode node) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("id", ((LwM2mChildNode) node).getId());
        if (node instanceof LwM2mObject) {
            ArrayNode instances = json.put("kind", "obj").putArray("instances");
            ((LwM2mObject) node).getInstances().values().forEach(child -> instances.add(node(child)));
        } else if (node instanceof LwM2mObjectInstance) {
            ArrayNode resources = json.put("kind", "instance").putArray("resources");
            ((LwM2mObjectInstance) node).getResources().values().forEach(child -> resources.add(node(child)));
        } else if (node instanceof LwM2mResourceInstance) {
            LwM2mResourceInstance leaf = (LwM2mResourceInstance) node;
            json.put("kind", "resourceInstance").put("type", leaf.getType().toString());
            json.set("value", value(leaf.getValue()));
        } else if (((LwM2mResource) node).isMultiInstances()) {
            LwM2mResource resource = (LwM2mResource) node;
            ObjectNode values = json.put("kind", "multiResource").put("type", resource.getType().toString())
                    .putObject("values");
            resource.getInstances().forEach((id, leaf) -> values.set(id.toString(), value(leaf.getValue())));
        } else {
            LwM2mResource resource = (LwM2mResource) node;
            json.put("kind", "singleResource").put("type", resource.getType().toString());
            json.set("value", value(resource.getValue()));
        }
        return json;
    }

    private static JsonNode value(Object value) {
        if (value instanceof byte[]) {
            return JsonNodeFactory.instance.textNode(Hex.encodeHexString((byte[]) value));
        } else if (value instanceof Boolean) {
            return JsonNodeFactory.instance.booleanNode((Boolean) value);
        } else if (value instanceof Date) {
            return JsonNodeFactory.instance.numberNode(((Date) value).getTime());
        }
        return JsonNodeFactory.instance.textNode(value.toString());
    }

    static LwM2mNode text(String target, String content) {
        return LwM2mSingleResource.newStringResource(Integer.parseInt(target.substring(target.lastIndexOf('/') + 1)),
                content);
    }

    static LwM2mNode node(String content) throws IOException {
        return node(MAPPER.readTree(content));
    }

    static Map<LwM2mPath, LwM2mNode> nodes(String content) throws IOException {
        Map<LwM2mPath, LwM2mNode> nodes = new HashMap<>();
        MAPPER.readTree(content).fields()
                .forEachRemaining(entry -> nodes.put(new LwM2mPath(entry.getKey()), node(entry.getValue())));
        return nodes;
    }

    private static LwM2mNode node(JsonNode json) {
        if (json.has("resources")) {
            List<LwM2mResource> resources = new ArrayList<>();
            json.get("resources").forEach(child -> resources.add((LwM2mResource) node(child)));
            return json.has("id") ? new LwM2mObjectInstance(json.get("id").asInt(), resources)
                    : new LwM2mObjectInstance(resources);
        }
        int id = json.required("id").asInt();
        Type type = Type.valueOf(json.required("type").asText().toUpperCase());
        if (json.has("values")) {
            Map<Integer, Object> values = new HashMap<>();
            json.get("values").fields().forEachRemaining(
                    entry -> values.put(Integer.valueOf(entry.getKey()), value(entry.getValue(), type)));
            return LwM2mMultipleResource.newResource(id, values, type);
        }
        return LwM2mSingleResource.newResource(id, value(json.required("value"), type), type);
    }

    private static Object value(JsonNode json, Type type) {
        switch (type) {
        case STRING:
            return json.asText();
        case INTEGER:
            return Long.valueOf(json.asText());
        case FLOAT:
            return Double.valueOf(json.asText());
        case BOOLEAN:
            return json.asBoolean();
        case TIME:
            return new Date(json.asLong());
        default:
            throw new IllegalArgumentException("no " + type + " in the tests");
        }
    }
}
