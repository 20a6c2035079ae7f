// TCP ports on this machine: a free one, and who has a busy one.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

/** A port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('This machine gave no port number.');
  return address.port;
}

/** Nothing if the port is free, else who has it, as far as the system tells: "process 812 (node server.js)". */
export async function portHolder(port: number): Promise<string | undefined> {
  const code = await new Promise<string | undefined>(resolve => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
  if (code === undefined) return undefined;
  if (code === 'EACCES') return 'the system, which allows this port only to an administrator';
  try {
    return (process.platform === 'linux' ? holderFromProc(port) : holderFromLsof(port)) ?? 'another program';
  } catch {
    return 'another program';
  }
}

function holderFromProc(port: number): string | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      // Columns: number, local address:port, remote, state (0A = listening), ..., and the inode as the tenth.
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(`:${hex}`) && columns[3] === '0A') sockets.add(`socket:[${columns[9]}]`);
    }
  }
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      const holds = readdirSync(`/proc/${pid}/fd`).some(fd =>
        sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)),
      );
      if (!holds) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return `process ${pid} (${command.length > 100 ? `${command.slice(0, 100)}...` : command})`;
    } catch {
      // Ended meanwhile, or not ours to look into.
    }
  }
  return undefined;
}

function holderFromLsof(port: number): string | undefined {
  const fields = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { encoding: 'utf8' });
  const pid = /^p(\d+)/m.exec(fields)?.[1];
  const command = /^c(.+)/m.exec(fields)?.[1];
  return pid ? `process ${pid} (${command ?? 'unknown'})` : undefined;
}
