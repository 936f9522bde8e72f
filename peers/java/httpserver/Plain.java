/** The JDK's HttpServer, whose handler looks at the clock between two units of its work. */
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

class Plain {
    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
        server.createContext("/fast", exchange -> answer(exchange, 200, "fast"));
        server.createContext("/slow", Plain::slow);
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
    }

    static void slow(HttpExchange exchange) throws IOException {
        long deadline = System.nanoTime();
        try (Witness work = new Witness(exchange.getRequestURI().getQuery(), exchange.getRequestHeaders()::getFirst)) {
            deadline += work.timeout * 1_000_000;
            if (work.reads) exchange.getRequestBody().readAllBytes();
            while (work.more()) {
                work.unit();
                if (System.nanoTime() >= deadline) throw new InterruptedException("too late");
            }
            answer(exchange, 200, "slow");
        } catch (IllegalArgumentException error) {
            answer(exchange, 400, error.getMessage());
        } catch (InterruptedException error) {
            answer(exchange, 504, error.getMessage());
        }
    }

    static void answer(HttpExchange exchange, int status, String text) throws IOException {
        exchange.sendResponseHeaders(status, text.length());
        exchange.getResponseBody().write(text.getBytes());
        exchange.close();
    }
}
