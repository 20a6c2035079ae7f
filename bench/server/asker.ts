// Asks for balances over HTTP from a process of its own: one connection for each question, kept open, one request at a
// time on each. Told what to ask by its parent, answers with the rate.
import { Agent, get } from 'node:http';

interface Task {
  readonly questions: readonly { readonly url: string; readonly token: string }[];
  readonly forMs: number;
}

const agent = new Agent({ keepAlive: true });

process.on('message', async ({ questions, forMs }: Task) => {
  const started = performance.now();
  let done = 0;
  await Promise.all(
    questions.map(async ({ url, token }) => {
      while (performance.now() - started < forMs) {
        await ask(url, token);
        done++;
      }
    }),
  );
  process.send?.((done * 1_000) / (performance.now() - started));
});

function ask(url: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { authorization: `Bearer ${token}` } }, answer => {
      if (answer.statusCode !== 200) {
        reject(new Error(`The server answered ${answer.statusCode}.`));
      }
      answer.resume().once('end', resolve);
    });
    request.once('error', reject);
  });
}
