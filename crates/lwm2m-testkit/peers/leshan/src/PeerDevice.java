// Object 3 (Device): readable, writable, executable and multiple-instance resources of every kind the tests need.

import java.util.Date;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

public final class PeerDevice extends BaseInstanceEnabler {
    private static final List<Integer> RESOURCES = List.of(0, 1, 2, 3, 4, 9, 11, 13, 14, 15, 16);
    private String binding = "U";
    private String utcOffset = "+00";
    private String timezone = "Etc/UTC";

    PeerDevice by(BindingMode binding) {
        this.binding = binding.name();
        return this;
    }

    @Override
    public ReadResponse read(LwM2mServer server, int resource) {
        switch (resource) {
        case 0:
            return ReadResponse.success(resource, "Peer Works");
        case 1:
            return ReadResponse.success(resource, "Model 500");
        case 2:
            return ReadResponse.success(resource, "PW-500-000-0001");
        case 3:
            return ReadResponse.success(resource, "1.0.0");
        case 9:
            return ReadResponse.success(resource, 87);
        case 11:
            return ReadResponse.success(resource, Map.of(0, 0L), Type.INTEGER);
        case 13:
            return ReadResponse.success(resource, new Date(1_700_000_000_000L));
        case 14:
            return ReadResponse.success(resource, utcOffset);
        case 15:
            return ReadResponse.success(resource, timezone);
        case 16:
            return ReadResponse.success(resource, binding);
        default:
            return super.read(server, resource);
        }
    }

    @Override
    public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
        switch (resource) {
        case 13:
            return WriteResponse.success();
        case 14:
            utcOffset = (String) value.getValue();
            break;
        case 15:
            timezone = (String) value.getValue();
            break;
        default:
            return super.write(server, replace, resource, value);
        }
        fireResourceChange(resource);
        return WriteResponse.success();
    }

    @Override
    public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
        System.out.println("executed /3/0/" + resource + " " + (arguments == null ? "" : arguments.serialize()));
        return resource == 4 ? ExecuteResponse.success() : super.execute(server, resource, arguments);
    }

    @Override
    public List<Integer> getAvailableResourceIds(ObjectModel model) {
        return RESOURCES;
    }
}
