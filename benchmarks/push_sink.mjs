// A push service over TLS that accepts everything. Arguments: certificate, key, delay in
// milliseconds. Writes its port.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';

const [, , cert, key, delay] = process.argv;
const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
const answer = (stream) => stream.destroyed || stream.respond({ ':status': 201 }, { endStream: true });

server.on('stream', (stream) => {
  stream.resume();
  stream.on('error', () => {});
  stream.on('end', () => (Number(delay) ? setTimeout(answer, Number(delay), stream) : answer(stream)));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
