/** Tomcat embedded, with a servlet that looks at the clock between two units of its work. */
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

class Plain extends HttpServlet {
    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(System.getProperty("java.io.tmpdir"));
        tomcat.setPort(Integer.parseInt(args[0]));
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "plain", new Plain());
        context.addServletMappingDecoded("/fast", "plain");
        context.addServletMappingDecoded("/slow", "plain");
        tomcat.start();
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (request.getServletPath().equals("/fast")) { response.getWriter().println("fast"); return; }
        long deadline = System.nanoTime();
        try (Witness work = new Witness(request.getQueryString(), request::getHeader)) {
            deadline += work.timeout * 1_000_000;
            if (work.reads) request.getInputStream().readAllBytes();
            while (work.more() && System.nanoTime() < deadline) work.unit();
            if (System.nanoTime() >= deadline) response.sendError(504, "too late");
            else response.getWriter().println("slow");
        } catch (IllegalArgumentException error) {
            response.sendError(400, error.getMessage());
        } catch (InterruptedException error) {
            response.sendError(500, "interrupted");
        }
    }
}
