// What operators do by hand, command by command, and what they are told when they ask for what cannot be done.
import assert from 'node:assert/strict';
import type { AuditList } from '../../protocol/api.ts';
import {
  adminCommands,
  findAdminCommand,
  readOptions,
  runAdminCommand,
} from '../../server/src/cli/commands.ts';
import { CommandRefused } from '../../server/src/cli/options.ts';
import { newSecret } from '../../server/src/ids.ts';
import { RequestRefused } from '../../server/src/problems.ts';
import { booksAreInOrder, House, type Org } from './support/house.ts';
import { join } from './support/people.ts';

describe('an operator’s command', () => {
  let house: House;
  let org: Org;
  before(async () => {
    house = await House.build();
  });
  beforeEach(async () => {
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  /** As typed: words are parted by spaces, and a value with spaces is given behind. */
  const said = async (words: string, ...more: string[]): Promise<string> => {
    const typed = [...words.split(' '), ...more];
    const found = findAdminCommand(typed);
    assert.ok(found, words);
    const { command, rest } = found;
    return runAdminCommand(house.database, house.clock.now, command, readOptions(command, rest));
  };
  const run = async <T = Record<string, unknown>>(words: string, ...more: string[]): Promise<T> =>
    JSON.parse(await said(words, ...more, '--json')) as T;
  const refusal = async (words: string, ...more: string[]): Promise<string> => {
    const error = await said(words, ...more).then(
      answer => assert.fail(`was done: ${answer}`),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof CommandRefused || error instanceof RequestRefused, String(error));
    return error.message;
  };
  const idOf = async (token: string): Promise<string> =>
    (await house.get('/v1/me', token)).json().principal.id;
  const noted = async (action: string) =>
    (await house.get(`/v1/orgs/${org.id}/audit`, org.admin))
      .json<AuditList>()
      .data.filter(entry => entry.action === action)
      .map(({ actor, details }) => ({ actor: actor.id, details }));

  it('opens an organisation under the id given or a new one, once, and lists it with its members', async () => {
    const id = `org_${newSecret().slice(0, 12)}`;
    assert.deepEqual(await run(`orgs add --id ${id} --name`, 'Beta Works'), { id, name: 'Beta Works' });
    assert.match(await refusal(`orgs add --id ${id} --name Again`), /There is an organisation .* already/);
    assert.match(await refusal('orgs add --name Gamma --id gamma'), /--id must begin with org_/);
    const { id: made } = await run<{ id: string }>('orgs add --name Delta');
    assert.match(made, /^org_\w+/);
    const listed = await run<Array<{ id: string }>>('orgs list');
    assert.deepEqual(
      [id, made, org.id].map(each => listed.find(row => row.id === each)),
      [
        { id, name: 'Beta Works', members: 0 },
        { id: made, name: 'Delta', members: 0 },
        { id: org.id, name: 'Acme Robotics', members: 3 },
      ],
    );
  });

  it('adds people with a role, who may be in several organisations with one address', async () => {
    const email = `${newSecret()}@acme.example`;
    const first = await run(`users add --org ${org.id} --email ${email} --name`, 'Grace Hopper');
    assert.equal(first['role'], 'user');
    const other = await house.org();
    const again = await run(
      `users add --org ${other.id} --email ${email.toUpperCase()} --name Grace --role team_lead`,
    );
    assert.deepEqual([again['id'], again['role']], [first['id'], 'team_lead']);
    const listed = await run<Array<Record<string, unknown>>>(`users list --org ${org.id}`);
    const grace = listed.find(row => row['id'] === first['id']);
    assert.deepEqual([grace?.['role'], listed.length], ['user', 4]);
    assert.deepEqual(await noted('user.added'), [
      { actor: 'operator', details: { user_id: first['id'], role: 'user' } },
    ]);
  });

  it('links a person to a subject of an identity provider', async () => {
    const subject = newSecret();
    const { id } = await run(
      `users add --org ${org.id} --email ${subject}@acme.example --name Grace --issuer https://id.example --subject ${subject}`,
    );
    const identity = await house.database.query
      .selectFrom('identities')
      .select(['issuer', 'principal_id'])
      .where('subject', '=', subject)
      .executeTakeFirst();
    assert.deepEqual(identity, { issuer: 'https://id.example', principal_id: id });
  });

  it('links one subject to one person, however often it is said, and says so where it is another’s', async () => {
    const [one, two] = [newSecret(), newSecret()];
    const add = (who: string, subject: string) =>
      `users add --org ${org.id} --email ${who}@acme.example --name Grace --issuer https://id.example --subject ${subject}`;
    const { id } = await run(add(one, one));
    assert.equal((await run(add(one, one)))['id'], id);
    assert.match(await refusal(add(two, one)), new RegExp(`is ${id} already`));
    assert.match(await refusal(add(one, two)), /is another subject of https:\/\/id\.example already/);
    const listed = await run<Array<{ email: string | null }>>(`users list --org ${org.id}`);
    assert.ok(!listed.some(({ email }) => email?.startsWith(two)), 'nobody was added');
  });

  it('takes what is blank for not given', async () => {
    assert.match(await refusal('orgs add --name', '  '), /^--name must be given/);
    assert.match(
      await refusal(`adjust --org ${org.id} --credits 1 --reason`, ' '),
      /^--reason must be given/,
    );
    assert.match(
      await refusal(`tokens list --org ${org.id} --user`, ''),
      /^--user must be given/,
      'else it would be about services',
    );
  });

  it('adds nobody whose address, role, organisation or subject is none', async () => {
    const add = `users add --org ${org.id} --name Grace --email`;
    assert.match(await refusal(`${add} grace`), /--email must be an e-mail address, not "grace"/);
    assert.match(await refusal(`${add} g@acme.example --role boss`), /--role must be one of admin, .*"boss"/);
    assert.match(await refusal(`${add} g@acme.example --subject 1`), /--issuer and --subject go together/);
    assert.match(
      await refusal('users add --org org_nobodys --name Grace --email g@acme.example'),
      /There is no organisation org_nobodys/,
    );
    assert.deepEqual(await noted('user.added'), []);
  });

  it('gives a person another role, which counts from the next request on, and leaves the last admin', async () => {
    const max = await idOf(org.member);
    assert.equal((await house.get(`/v1/orgs/${org.id}/settings`, org.member)).statusCode, 403);
    await run(`users role --org ${org.id} --user ${max} --role admin`);
    assert.equal((await house.get(`/v1/orgs/${org.id}/settings`, org.member)).statusCode, 200);
    assert.deepEqual(await noted('member.role_changed'), [
      { actor: 'operator', details: { member: max, before: 'user', after: 'admin' } },
    ]);
    const other = await join(house, await house.org(), 'Eve', 'user');
    assert.match(
      await refusal(`users role --org ${org.id} --user ${other.id} --role admin`),
      /is no member of/,
    );
    const demote = (user: string) => `users role --org ${org.id} --user ${user} --role user`;
    await run(demote(max));
    assert.match(await refusal(demote(await idOf(org.admin))), /always has an admin/);
  });

  it('adds nobody twice: a role stays as it is, the last admin’s too', async () => {
    const ada = await idOf(org.admin);
    const email = `${ada}@acme.example`;
    await house.database.query
      .updateTable('principals')
      .set({ email })
      .where('principal_id', '=', ada)
      .execute();
    const add = `users add --org ${org.id} --email ${email} --name Ada`;
    assert.deepEqual(await run(add), { id: ada, email, role: 'admin' });
    assert.match(await refusal(`${add} --role user`), /is a member already, as admin/);
  });

  it('removes a person at once, and neither the last admin nor a stranger', async () => {
    const max = await idOf(org.member);
    const remove = `users remove --org ${org.id} --user`;
    assert.deepEqual(await run(`${remove} ${max}`), { id: max, removed: true });
    assert.equal((await house.get(`/v1/orgs/${org.id}/balance`, org.member)).statusCode, 404);
    assert.match(await refusal(`${remove} ${max}`), /is no member of/);
    assert.match(await refusal(`${remove} ${await idOf(org.admin)}`), /always has an admin/);
    assert.deepEqual(await noted('member.removed'), [
      { actor: 'operator', details: { member: max, before: 'user', after: null } },
    ]);
  });

  it('T20 gives no old token back to someone who had left every organisation, and takes none from who stayed in one', async () => {
    const other = await house.org();
    const max = await idOf(org.member);
    const email = `${max}@acme.example`;
    await house.database.query
      .updateTable('principals')
      .set({ email })
      .where('principal_id', '=', max)
      .execute();
    const add = (orgId: string) => run(`users add --org ${orgId} --email ${email} --name Max`);
    const leave = (orgId: string) => run(`users remove --org ${orgId} --user ${max}`);
    const status = async () => (await house.get(`/v1/orgs/${org.id}/balance`, org.member)).statusCode;
    await add(other.id);
    await leave(org.id);
    await add(org.id);
    assert.equal(await status(), 200);
    await leave(org.id);
    await leave(other.id);
    assert.equal(await status(), 404);
    await add(org.id);
    assert.equal(await status(), 401);
    assert.equal((await noted('token.revoked')).length, 1);
  });

  it('T5 makes a token that is shown once and works, lists it without its secret, and revokes it', async () => {
    const max = await idOf(org.member);
    const of = `--org ${org.id} --user ${max}`;
    const made = await run<{ id: string; token: string }>(
      `tokens add ${of} --name laptop --scopes credits:read,credits:history --days 7`,
    );
    const balance = () => house.get(`/v1/orgs/${org.id}/balance`, made.token);
    assert.equal((await balance()).statusCode, 200);
    const listed = await said(`tokens list ${of}`);
    assert.ok(listed.includes(made.id) && !listed.includes(made.token), listed);
    assert.match(listed, /scopes credits:read,credits:history/);
    await run(`tokens revoke ${of} --token ${made.id}`);
    assert.equal((await balance()).statusCode, 401);
    assert.ok(!(await said(`tokens list ${of}`)).includes(made.id));
    const log = JSON.stringify([await noted('token.created'), await noted('token.revoked')]);
    assert.ok(log.includes(made.id) && log.includes('"actor":"operator"') && !log.includes(made.token), log);
  });

  it('makes a service of its own for a token without a person', async () => {
    const { token, id } = await run<{ token: string; id: string }>(
      `tokens add --org ${org.id} --name gateway --scopes credits:usage.write`,
    );
    const use = await house.post(`/v1/orgs/${org.id}/usage`, token, { event_id: 'e1', amount_ucr: 1 });
    assert.equal(use.statusCode, 200, use.body);
    await run(`tokens revoke --org ${org.id} --token ${id}`);
    assert.equal((await house.get(`/v1/orgs/${org.id}/balance`, token)).statusCode, 401);
  });

  it('T20 T21 makes no token beyond what its holder may have, and revokes none of another organisation', async () => {
    const add = `tokens add --org ${org.id} --name x --scopes`;
    assert.match(await refusal(`${add} credits:everything`), /--scopes of a service .*"credits:everything"/);
    assert.match(await refusal(`${add} credits:read,credits:purchase`), /of a service .*"credits:purchase"/);
    assert.match(
      await refusal(`${add} credits:read --days 367`),
      /--days must be a whole number from 1 to 366/,
    );
    assert.match(await refusal(`${add} credits:read --user nobody@acme.example`), /is no member of/);
    const other = await house.org();
    const { id } = await run<{ id: string }>(
      `tokens add --org ${other.id} --name gateway --scopes credits:read`,
    );
    assert.match(await refusal(`tokens revoke --org ${org.id} --token ${id}`), /No such token/);
    const kept = await run<Array<{ id: string }>>(`tokens list --org ${other.id}`);
    assert.ok(kept.some(token => token.id === id));
  });

  it('gives credits once for an id, and none for an amount or a date that is none', async () => {
    const before = (await house.balance(org)).available_ucr;
    const grant = `grants add --org ${org.id} --credits 2.5 --id`;
    assert.equal((await run(`${grant} welcome --expires 2999-01-01`))['duplicate'], false);
    assert.equal((await run(`${grant} welcome --expires 2999-01-01`))['duplicate'], true);
    const more = `grants add --org ${org.id} --credits 25 --id welcome`;
    assert.match(await refusal(more), /welcome stands for 2.5 credits already/);
    assert.equal((await house.balance(org)).available_ucr, before + 2_500_000);
    for (const amount of ['0', '-5', 'ten', '1.0000001', '1e3']) {
      assert.match(
        await refusal(`grants add --org ${org.id} --id no --credits ${amount}`),
        /--credits must be a number of credits above 0/,
      );
    }
    // PostgreSQL keeps a year of five digits, and then no list with that grant could be answered any more.
    for (const date of ['2001-01-01', 'soon', '99999', '2999-02-31', '2999-1-1', '2999/01/01']) {
      assert.match(await refusal(`${grant} no --expires ${date}`), /--expires must be a day to come/, date);
    }
    assert.equal((await house.balance(org)).available_ucr, before + 2_500_000);
  });

  it('puts a balance right in both directions, with the reason, and once for an id', async () => {
    const before = (await house.balance(org)).available_ucr;
    const adjust = `adjust --org ${org.id} --credits`;
    await run(`${adjust} -5 --id ticket-7 --reason`, 'Counted twice');
    assert.equal((await run(`${adjust} -5 --id ticket-7 --reason`, 'Counted twice'))['duplicate'], true);
    assert.match(
      await refusal(`${adjust} 5 --id ticket-7 --reason`, 'Other way'),
      /stands for -5 credits already/,
    );
    await run(`${adjust} 2 --reason Goodwill`);
    assert.equal((await house.balance(org)).available_ucr, before - 3_000_000);
    assert.match(await refusal(`${adjust} 0 --reason None`), /other than 0/);
    assert.match(await refusal(`${adjust} 1 --reason`, 'a'.repeat(1_001)), /--reason .* at most 1000/);
  });

  it('sets a plan whose credits are there at once, and ends it', async () => {
    const set = `plan set --org ${org.id}`;
    assert.deepEqual(await run(`${set} --included 100 --day 5 --rollover 10`), { included: 100, day: 5 });
    assert.equal((await house.balance(org)).included.state, 'available');
    assert.deepEqual(await run(`${set} --included 200`), { included: 200, day: 5 });
    const { rollover_cap_ucr } = await house.database.query
      .selectFrom('plans')
      .select('rollover_cap_ucr')
      .where('org_id', '=', org.id)
      .executeTakeFirstOrThrow();
    assert.equal(rollover_cap_ucr, 10_000_000n);
    await run(`${set} --included 200 --rollover 0`);
    assert.match(await refusal(`${set} --included 5 --rollover -1`), /number of credits from 0 on/);
    assert.deepEqual(await run(`${set} --none`), { included: null });
    assert.match(await refusal(set), /Either --included or --none/);
    assert.match(await refusal(`${set} --none --included 5`), /Either --included or --none/);
    assert.match(await refusal(`${set} --included 5 --day 32`), /--day must be a whole number from 1 to 31/);
    assert.equal((await noted('plan.set')).length, 4);
  });

  it('F69 numbers on beyond the lost time when a backup was restored, and the ledger goes on', async () => {
    const { version, available_ucr } = await house.balance(org);
    assert.ok(Number((await run('restored'))['organisations']) > 0);
    const after = await house.balance(org);
    assert.ok(after.version > version + 500_000_000, `${after.version}`);
    assert.equal(after.available_ucr, available_ucr);
    await run(`grants add --org ${org.id} --credits 1 --id after`);
    assert.equal((await house.balance(org)).version, after.version + 1);
    assert.deepEqual(await noted('backup.restored'), [
      { actor: 'operator', details: { leap: 1_000_000_000 } },
    ]);
  });

  it('F69 tells of a restored organisation with what fell due while nobody served', async () => {
    await run(`plan set --org ${org.id} --included 100 --day ${house.clock.now().getUTCDate()}`);
    house.clock.advance(32 * 86_400_000);
    await run('restored');
    const rows = await house.database.query
      .selectFrom('outbox')
      .select('data')
      .where('org_id', '=', org.id)
      .where('event', '=', 'balance.updated')
      .where('sequence', '>', 500_000_000n)
      .execute();
    const told = rows.map(({ data }) => (data as Record<string, unknown>)['available_ucr']);
    assert.deepEqual(told, [5_318_000_000]);
  });

  it('says None where there is nothing to list', async () => {
    const { id } = await run<{ id: string }>('orgs add --name Empty');
    assert.equal(await said(`users list --org ${id}`), 'None.');
  });

  it('knows only its own words: a command, option or value that is none is said, and nothing is done', async () => {
    for (const words of ['orgs', 'orgs remove', 'users', 'toString', '__proto__ add']) {
      assert.equal(findAdminCommand(words.split(' ')), undefined, words);
    }
    assert.match(await refusal('orgs list --loud'), /--loud.*See --help\./);
    assert.match(await refusal('orgs list everything'), /everything.*See --help\./);
    assert.match(await refusal('orgs add --name'), /--name.*See --help\./);
  });

  for (const [name, { options }] of Object.entries(adminCommands)) {
    const needed = Object.keys(options).filter(option => options[option] === 'needed');
    if (needed.length > 0) {
      it(`${name} names every option that is missing`, async () => {
        const message = await refusal(name);
        assert.deepEqual(message.match(/--[a-z]+/g), [...needed.map(each => `--${each}`), '--help']);
      });
    }
  }
});
