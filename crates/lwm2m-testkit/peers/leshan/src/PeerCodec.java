// The library's codecs as a filter, for tests. It reads commands from standard input and answers those that ask:
//   object ID, resource ID TYPE true|false (multiple): the definition by which what follows is read; no answer
//   recode PATH FORMAT HEX: decodes a payload, and encodes its values in every format: "recoded FORMAT:HEX ..." or "failed WHY"
//   links HEX: parses CoRE Link Format and writes it again: "recoded 40:HEX" or "failed WHY"

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.leshan.core.link.DefaultLinkSerializer;
import org.eclipse.leshan.core.link.lwm2m.DefaultLwM2mLinkParser;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Operations;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.codec.CodecException;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mDecoder;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mEncoder;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.util.Hex;

public final class PeerCodec {
    private final DefaultLwM2mDecoder decoder = new DefaultLwM2mDecoder();
    private final DefaultLwM2mEncoder encoder = new DefaultLwM2mEncoder();
    private int object;
    private List<ResourceModel> resources = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        PeerCodec codec = new PeerCodec();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = input.readLine()) != null;) {
            codec.obey(line.split(" ", -1));
        }
    }

    private void obey(String[] command) {
        switch (command[0]) {
        case "object":
            object = Integer.parseInt(command[1]);
            resources = new ArrayList<>();
            break;
        case "resource":
            resources.add(new ResourceModel(Integer.valueOf(command[1]), "", Operations.RW,
                    Boolean.valueOf(command[3]), false, Type.valueOf(command[2]), "", "", ""));
            break;
        default:
            try {
                System.out.println("recoded" + (command[0].equals("links") ? links(command) : recode(command)));
            } catch (Exception e) {
                System.out.println("failed " + e.toString().replace('\n', ' '));
            }
        }
    }

    private String links(String[] command) throws Exception {
        byte[] payload = Hex.decodeHex(command[1].toCharArray());
        String text = new DefaultLinkSerializer()
                .serializeCoreLinkFormat(new DefaultLwM2mLinkParser().parseCoreLinkFormat(payload));
        return " 40:" + Hex.encodeHexString(text.getBytes(StandardCharsets.UTF_8));
    }

    private String recode(String[] command) {
        StaticModel model = new StaticModel(
                new ObjectModel(object, "", "", "1.0", true, false, resources, "", "1.0", ""));
        LwM2mPath path = new LwM2mPath(command[1]);
        byte[] payload = Hex.decodeHex(command[3].toCharArray());
        LwM2mNode node = decoder.decode(payload, ContentFormat.fromCode(command[2]), null, path, model);
        StringBuilder answer = new StringBuilder();
        for (ContentFormat format : encoder.getSupportedContentFormat()) {
            try {
                String hex = Hex.encodeHexString(encoder.encode(node, format, null, path, model));
                answer.append(' ').append(format.getCode()).append(':').append(hex);
            } catch (CodecException e) {
                // Not every format holds every node; the test counts those that do.
            }
        }
        return answer.toString();
    }
}
