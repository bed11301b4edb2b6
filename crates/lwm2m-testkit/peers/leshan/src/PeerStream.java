// CoAP over TCP and TLS (RFC 8323) for a client on Californium, whose own connectors for them know no CSM and come with
// a library of their own: a connection of the JDK. The messages are Californium's, the TLS is the JDK's.

import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.SocketFactory;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.eclipse.californium.elements.Connector;
import org.eclipse.californium.elements.EndpointContext;
import org.eclipse.californium.elements.EndpointContextMatcher;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.RawDataChannel;
import org.eclipse.californium.elements.TcpEndpointContext;
import org.eclipse.californium.elements.TlsEndpointContext;
import org.eclipse.californium.elements.auth.X509CertPath;

final class PeerStream implements Connector {
    private static final int CSM = 0xe1;
    private static final int PING = 0xe2;
    private static final int PONG = 0xe3;
    private static final int RELEASE = 0xe4;
    private final InetSocketAddress server;
    private final SocketFactory sockets;
    private ExecutorService sender;
    private RawDataChannel receiver;
    private Socket socket;
    private EndpointContext context;

    PeerStream(InetSocketAddress server, SocketFactory sockets) {
        this.server = server;
        this.sockets = sockets;
    }

    @Override
    public synchronized void start() {
        sender = Executors.newSingleThreadExecutor();
    }

    @Override
    public synchronized void stop() {
        sender.shutdownNow();
        close(socket);
    }

    @Override
    public void destroy() {
        stop();
    }

    @Override
    public void send(RawData message) {
        sender.execute(() -> {
            try {
                Socket to = connection();
                message.onContextEstablished(context);
                write(to, message.getBytes());
                message.onSent();
            } catch (IOException e) {
                System.out.println("stream " + e);
                message.onError(e);
            }
        });
    }

    private synchronized Socket connection() throws IOException {
        if (socket == null || socket.isClosed()) {
            socket = sockets.createSocket(server.getAddress(), server.getPort());
            context = context(socket);
            write(socket, new byte[] { 0, (byte) CSM });
            Socket from = socket;
            Thread reader = new Thread(() -> receive(from));
            reader.setDaemon(true);
            reader.start();
        }
        return socket;
    }

    private EndpointContext context(Socket socket) throws IOException {
        String connection = socket.getLocalSocketAddress().toString();
        long now = System.nanoTime();
        if (!(socket instanceof SSLSocket)) {
            return new TcpEndpointContext(server, connection, now);
        }
        SSLSession session = ((SSLSocket) socket).getSession();
        X509CertPath principal = X509CertPath.fromCertificatesChain(session.getPeerCertificates());
        String id = Arrays.toString(session.getId());
        return new TlsEndpointContext(server, principal, connection, id, session.getCipherSuite(), now);
    }

    private static synchronized void write(Socket to, byte[] frame) throws IOException {
        to.getOutputStream().write(frame);
        to.getOutputStream().flush();
    }

    private void receive(Socket from) {
        try {
            DataInputStream input = new DataInputStream(from.getInputStream());
            int code = handle(from, frame(input));
            if (code != CSM) {
                throw new IOException("the server begins with code " + code);
            }
            while (code < RELEASE) {
                code = handle(from, frame(input));
            }
            System.out.println("released");
        } catch (IOException e) {
            System.out.println("disconnected");
        }
        close(from);
    }

    private int handle(Socket from, Frame frame) throws IOException {
        int code = frame.code();
        if (code == PING) {
            write(from, frame.pong());
        } else if (code < CSM) {
            receiver.receiveData(RawData.inbound(frame.bytes, context, false, System.nanoTime(), getAddress()));
        }
        return code;
    }

    // A message with all its bytes, and where its code stands.
    private static final class Frame {
        private final byte[] bytes;
        private final int head;

        Frame(byte[] bytes, int head) {
            this.bytes = bytes;
            this.head = head;
        }

        int code() {
            return bytes[head] & 0xff;
        }

        byte[] pong() {
            int token = bytes[0] & 0xf;
            byte[] answer = new byte[2 + token];
            answer[0] = (byte) token;
            answer[1] = (byte) PONG;
            System.arraycopy(bytes, head + 1, answer, 2, token);
            return answer;
        }
    }

    private static Frame frame(DataInputStream input) throws IOException {
        int first = input.readUnsignedByte();
        int length = first >> 4;
        byte[] extended = new byte[length < 13 ? 0 : 1 << (length - 13)];
        input.readFully(extended);
        int size = size(length, extended);
        ByteBuffer bytes = ByteBuffer.allocate(2 + extended.length + (first & 0xf) + size);
        bytes.put((byte) first).put(extended);
        input.readFully(bytes.array(), bytes.position(), bytes.remaining());
        return new Frame(bytes.array(), 1 + extended.length);
    }

    // The length of options and payload: RFC 8323 section 3.2.
    private static int size(int nibble, byte[] extended) {
        switch (nibble) {
        case 13:
            return 13 + (extended[0] & 0xff);
        case 14:
            return 269 + (ByteBuffer.wrap(extended).getShort() & 0xffff);
        case 15:
            return Math.addExact(65805, ByteBuffer.wrap(extended).getInt());
        default:
            return nibble;
        }
    }

    private static void close(Socket socket) {
        try {
            if (socket != null) {
                socket.close();
            }
        } catch (IOException e) {
            // It is gone already.
        }
    }

    @Override
    public void setRawDataReceiver(RawDataChannel receiver) {
        this.receiver = receiver;
    }

    @Override
    public void setEndpointContextMatcher(EndpointContextMatcher matcher) {
        // There is one connection, to one server.
    }

    @Override
    public InetSocketAddress getAddress() {
        return new InetSocketAddress(0);
    }

    @Override
    public String getProtocol() {
        return sockets instanceof SSLSocketFactory ? "TLS" : "TCP";
    }

    @Override
    public synchronized boolean isRunning() {
        return sender != null && !sender.isShutdown();
    }

    @Override
    public void processDatagram(DatagramPacket datagram) {
        throw new UnsupportedOperationException("no datagrams come over connections");
    }
}
