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
  const holder = holderOf(port, 'listening');
  if (!holder) return 'another program';
  const { pid, command } = holder;
  return `process ${pid} (${command.length > 100 ? `${command.slice(0, 100)}...` : command})`;
}

/** The number of the process whose connection comes from this port, as far as the system tells. */
export function connectedFrom(port: number): number | undefined {
  return holderOf(port, 'connected')?.pid;
}

type Use = 'listening' | 'connected';

interface Holder {
  readonly pid: number;
  readonly command: string;
}

function holderOf(port: number, use: Use): Holder | undefined {
  try {
    return process.platform === 'linux' ? holderFromProc(port, use) : holderFromLsof(port, use);
  } catch {
    return undefined;
  }
}

function holderFromProc(port: number, use: Use): Holder | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const state = use === 'listening' ? '0A' : '01';
  const sockets = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      // Columns: number, local address:port, remote, state, ..., and the inode as the tenth.
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(`:${hex}`) && columns[3] === state) sockets.add(`socket:[${columns[9]}]`);
    }
  }
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      const holds = readdirSync(`/proc/${pid}/fd`).some(fd =>
        sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)),
      );
      if (!holds) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return { pid: Number(pid), command };
    } catch {
      // Ended meanwhile, or not ours to look into.
    }
  }
  return undefined;
}

function holderFromLsof(port: number, use: Use): Holder | undefined {
  const state = use === 'listening' ? 'LISTEN' : 'ESTABLISHED';
  const fields = execFileSync('lsof', ['-nP', `-iTCP:${port}`, `-sTCP:${state}`, '-Fpcn'], {
    encoding: 'utf8',
  });
  // A connection is listed by both of its processes; its holder's own end comes first.
  const own = new RegExp(`^n\\S*:${port}(->.*)?$`, 'm');
  const [found = ''] = fields.split(/^(?=p\d)/m).filter(one => own.test(one));
  const pid = /^p(\d+)/m.exec(found)?.[1];
  return pid ? { pid: Number(pid), command: /^c(.+)/m.exec(found)?.[1] ?? 'unknown' } : undefined;
}
