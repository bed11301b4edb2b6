// Object 3303 (Temperature): instances can be created and deleted; the definition holds what the tests use.

import java.util.List;
import java.util.Map;
import org.eclipse.leshan.client.resource.SimpleInstanceEnabler;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Operations;
import org.eclipse.leshan.core.model.ResourceModel.Type;

public final class PeerTemperature extends SimpleInstanceEnabler {
    public static final int ID = 3303;

    public static final ObjectModel MODEL = new ObjectModel(ID, "Temperature", "", "1.1", true, false,
            List.of(resource(5700, "Sensor Value", Operations.R, true, Type.FLOAT),
                    resource(5701, "Sensor Units", Operations.R, false, Type.STRING),
                    resource(5750, "Application Type", Operations.RW, false, Type.STRING)),
            "urn:oma:lwm2m:ext:3303:1.1", "1.0", "");

    public PeerTemperature() {
        initialValues = Map.of(5700, 21.5, 5701, "Cel", 5750, "room");
    }

    private static ResourceModel resource(int id, String name, Operations operations, boolean mandatory, Type type) {
        return new ResourceModel(id, name, operations, false, mandatory, type, "", "", "");
    }
}
