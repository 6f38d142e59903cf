// The proxy must do what the tests that use it believe it does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../../event-log/contract/log-probe.ts';
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts';

describe('the proxy between clients and servers', () => {
  let server: Server;
  let proxy: TcpProxy;
  let heard = '';
  let served: Socket[] = [];
  let clients: Socket[] = [];

  beforeEach(async () => {
    heard = '';
    served = [];
    clients = [];
    server = createServer((socket) => {
      served.push(socket);
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => {
        heard += String(chunk);
        socket.write(chunk);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert(typeof address === 'object' && address !== null);
    proxy = await openTcpProxy({ host: '127.0.0.1', port: address.port }, { isRecording: false });
  });

  afterEach(async () => {
    for (const socket of [...clients, ...served]) socket.destroy();
    await proxy.close();
    server.close();
  });

  async function dial(): Promise<{ socket: Socket; answered: () => string; isClosed: () => boolean }> {
    const socket = connect(proxy.port, proxy.host);
    clients.push(socket);
    let text = '';
    let isClosed = false;
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      isClosed = true;
    });
    await once(socket, 'connect');
    return { socket, answered: () => text, isClosed: () => isClosed };
  }

  it('FLT-36 keeps the order when the delay becomes shorter', async () => {
    const { socket, answered } = await dial();
    socket.write('0');
    await until('what was said arrives', () => answered() === '0');
    proxy.delay(100, 'requests');
    socket.write('1');
    await until('what was said arrives', () => served.length === 1);
    proxy.delay(0);
    socket.write('2');
    await until('what was said arrives', () => answered().length === 3);
    assert.equal(answered(), '012');
  });

  it('FLT-36 takes half-open connections, now and later, and breaks them when it heals', async () => {
    const early = await dial();
    proxy.impair('swallow', ['answers']);
    const late = await dial();
    early.socket.write('a');
    late.socket.write('b');
    await until('what was said arrives', () => heard.length === 2);
    proxy.heal();
    await until('what was said arrives', () => early.isClosed() && late.isClosed());
    assert.equal(early.answered() + late.answered(), '');
    const after = await dial();
    after.socket.write('c');
    await until('what was said arrives', () => after.answered() === 'c');
  });

  it('FLT-36 delivers what was held in a parted network when it heals, also of who has gone', async () => {
    const [stays, goes] = [await dial(), await dial()];
    stays.socket.write('1');
    await until('what was said arrives', () => stays.answered() === '1');
    proxy.impair('hold', ['requests', 'answers']);
    stays.socket.write('2');
    goes.socket.end('3');
    await until('what was said arrives', () => goes.isClosed() || goes.socket.writableFinished);
    assert.equal(heard, '1');
    proxy.heal();
    await until('what was said arrives', () => stays.answered() === '12' && [...heard].sort().join('') === '123');
  });

  it('FLT-36 breaks a connection in the middle of what it carries', async () => {
    const { socket, answered, isClosed } = await dial();
    proxy.cutMidStream('answers');
    socket.write('0123456789');
    await until('the end arrives', isClosed);
    assert.equal(answered(), '01234');
  });
});
