// http-proxy-3, the successor of http-proxy, as https://www.npmjs.com/package/http-proxy-3 has it.
const http = require('http');
const httpProxy = require('http-proxy-3');

const [listen, upstream] = process.argv.slice(2);
const [host, port] = listen.split(':');
const proxy = httpProxy.createProxyServer({ target: 'http://' + upstream });

// Without a handler an error of the upstream ends the process.
proxy.on('error', (error, req, res) => {
    if (!res.headersSent) {
        res.writeHead(502);
    }
    res.end();
});

http.createServer((req, res) => {
    // Knob: proxyTimeout, how long an upstream may say nothing; none by default.
    const options = req.url.startsWith('/brief/') ? { proxyTimeout: 1000 } : {};
    proxy.web(req, res, options);
}).listen(Number(port), host);
