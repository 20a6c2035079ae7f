// What operators do by hand: organisations, people, tokens, credits. Each command is one transaction, noted in the audit log;
// `restored` is one for each organisation, and done again it does no harm.
import { scopes } from '../../../protocol/api.ts';
import { UCR_PER_CREDIT } from '../../../protocol/units.ts';
import { admit } from '../access.ts';
import { note } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Database, Tx } from '../database/database.ts';
import type { Role } from '../database/tables.ts';
import type { Principal } from '../identity/people.ts';
import { AccessTokens, grantable, type Owner, revokeOfLeaver } from '../identity/tokens.ts';
import { newId } from '../ids.ts';
import { Ledger, type Posted } from '../ledger/ledger.ts';
import { appoint, dismiss } from '../organisation/members.ts';
import { RequestRefused } from '../problems.ts';
import { awaitingReview, review } from '../purchases/review.ts';
import { CommandRefused, type OptionList, Options } from './options.ts';

/** Told as it is with --json, else as lines of `name value`. */
type Result = Readonly<Record<string, unknown>> | ReadonlyArray<Readonly<Record<string, unknown>>>;

interface Desk {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
}

interface Command {
  readonly options: OptionList;
  /** For --help, behind the name. */
  readonly usage: string;
  readonly meaning: string;
  run(desk: Desk, options: Options): Promise<Result>;
}

const OPERATOR = 'operator';
const personRoles = ['admin', 'team_owner', 'team_lead', 'user'] as const;

export const adminCommands: Readonly<Record<string, Command>> = {
  'orgs add': {
    options: { name: 'needed', id: 'optional' },
    usage: '--name NAME [--id org_…]',
    meaning: 'Opens an organisation, with nothing in it.',
    async run({ database, ledger, clock }, options) {
      const id = options.text('id', `org_${newId('usr', new Date()).slice('usr_'.length)}`);
      if (!/^org_[0-9A-Za-z_-]{1,80}$/.test(id)) {
        throw new CommandRefused(
          `--id must begin with org_ and hold letters, digits, _ and - only, not "${id}".`,
        );
      }
      if (await nameOf(database, id)) {
        throw new CommandRefused(`There is an organisation ${id} already.`);
      }
      await database.transaction(async tx => {
        await ledger.openOrganisation(tx, id, options.text('name'));
        await note(tx, id, { action: 'organisation.opened', actor: OPERATOR, details: {} }, clock());
      });
      return { id, name: options.text('name') };
    },
  },
  'orgs list': {
    options: {},
    usage: '',
    meaning: 'Organisations, with how many members each has.',
    async run({ database }) {
      const rows = await database.query
        .selectFrom('organisations')
        .leftJoin('memberships', 'memberships.org_id', 'organisations.org_id')
        .select(({ fn }) => [
          'organisations.org_id as id',
          'organisations.name',
          fn.count('memberships.principal_id').as('members'),
        ])
        .groupBy(['organisations.org_id', 'organisations.name'])
        .orderBy('organisations.org_id')
        .execute();
      return rows.map(row => ({ ...row, members: Number(row.members) }));
    },
  },
  'users add': {
    options: {
      org: 'needed',
      email: 'needed',
      name: 'needed',
      role: 'optional',
      issuer: 'optional',
      subject: 'optional',
    },
    usage: '--org ORG --email EMAIL --name NAME [--role ROLE] [--issuer URL --subject SUB]',
    meaning:
      'Makes somebody a member: admin, team_owner, team_lead or user (the default). They sign in by the provider with\n           this verified e-mail address, or at once as the subject given.',
    async run({ database, clock }, options) {
      const orgId = await organisation(database, options);
      const email = options.text('email');
      if (!/^\S+@\S+$/.test(email)) {
        throw new CommandRefused(`--email must be an e-mail address, not "${email}".`);
      }
      if (options.has('issuer') !== options.has('subject')) {
        throw new CommandRefused('--issuer and --subject go together.');
      }
      const at = clock();
      const known = await byEmail(database, email);
      const id = known?.id ?? newId('usr', at);
      const was = await database.query
        .selectFrom('memberships')
        .select('role')
        .where('org_id', '=', orgId)
        .where('principal_id', '=', id)
        .executeTakeFirst();
      const role = options.oneOf('role', personRoles, was?.role ?? 'user');
      if (was && role !== was.role) {
        throw new CommandRefused(`${email} is a member already, as ${was.role}: "users role" changes that.`);
      }
      await deed(database, orgId, async tx => {
        for (const token of await revokeOfLeaver(tx, id, at)) {
          await note(tx, orgId, { action: 'token.revoked', actor: OPERATOR, details: token }, at);
        }
        const principal = { id, kind: 'person' as const, name: options.text('name'), email };
        await admit(tx, { orgId, principal, role }, at);
        if (options.has('issuer')) {
          await tx
            .insertInto('identities')
            .values({
              issuer: options.text('issuer'),
              subject: options.text('subject'),
              principal_id: id,
              created_at: at,
            })
            .onConflict(conflict => conflict.doNothing())
            .execute();
          await checkLinked(tx, id, options.text('issuer'), options.text('subject'));
        }
        await note(tx, orgId, { action: 'user.added', actor: OPERATOR, details: { user_id: id, role } }, at);
      });
      return { id, email, role };
    },
  },
  'users list': {
    options: { org: 'needed' },
    usage: '--org ORG',
    meaning: 'Members of an organisation, services too.',
    async run({ database }, options) {
      const orgId = await organisation(database, options);
      return database.query
        .selectFrom('memberships')
        .innerJoin('principals', 'principals.principal_id', 'memberships.principal_id')
        .select(['principals.principal_id as id', 'memberships.role', 'principals.name', 'principals.email'])
        .where('memberships.org_id', '=', orgId)
        .orderBy('memberships.created_at')
        .orderBy('principals.principal_id')
        .execute();
    },
  },
  'users role': {
    options: { org: 'needed', user: 'needed', role: 'needed' },
    usage: '--org ORG --user ID|EMAIL --role ROLE',
    meaning: 'Changes what somebody may do; it counts at once. The last admin stays one.',
    async run({ database, clock }, options) {
      const orgId = await organisation(database, options);
      const { id } = await memberOf(database, orgId, options.text('user'));
      const role = options.oneOf('role', personRoles);
      await deed(database, orgId, async tx => {
        const person = { id, role: await roleOf(tx, orgId, id) };
        await appoint(tx, orgId, person, role, OPERATOR, clock());
      });
      return { id, role };
    },
  },
  'users remove': {
    options: { org: 'needed', user: 'needed' },
    usage: '--org ORG --user ID|EMAIL',
    meaning: 'Ends a membership at once. What they used stays in the history. The last admin stays.',
    async run({ database, clock }, options) {
      const orgId = await organisation(database, options);
      const { id } = await memberOf(database, orgId, options.text('user'));
      await deed(database, orgId, async tx => {
        const role = await roleOf(tx, orgId, id);
        await dismiss(tx, orgId, { id, role }, OPERATOR, clock());
      });
      return { id, removed: true };
    },
  },
  'tokens add': {
    options: { org: 'needed', name: 'needed', user: 'optional', scopes: 'needed', days: 'optional' },
    usage: '--org ORG --name NAME --scopes LIST [--user ID|EMAIL] [--days N]',
    meaning: `Makes an access token and shows it once: of a member, or without --user of a new service. Scopes, comma\n           separated: ${scopes.join(', ')}.\n           Lasts 90 days unless told, 366 at most.`,
    async run({ database, tokens }, options) {
      const orgId = await organisation(database, options);
      const wanted = options
        .text('scopes')
        .split(',')
        .map(scope => scope.trim());
      const order = {
        name: options.text('name'),
        scopes: scopes.filter(scope => wanted.includes(scope)),
        expiresInDays: options.whole('days', 1, 366, 90),
      };
      const holder = options.has('user') ? 'person' : 'service';
      const known = order.scopes.filter(scope => grantable[holder].includes(scope));
      const beyond = wanted.find(scope => !known.some(each => each === scope));
      if (beyond !== undefined) {
        throw new CommandRefused(
          `--scopes of a ${holder} must be of ${grantable[holder].join(', ')}, not "${beyond}".`,
        );
      }
      return options.has('user')
        ? tokens.issueToPerson(await memberOf(database, orgId, options.text('user')), order, OPERATOR)
        : database.transaction(tx => tokens.issueToService(tx, orgId, order, OPERATOR));
    },
  },
  'tokens list': {
    options: { org: 'needed', user: 'optional' },
    usage: '--org ORG [--user ID|EMAIL]',
    meaning: 'Tokens in use, of the organisation’s services or of one member, without their secrets.',
    async run(desk, options) {
      return desk.tokens.list(await ownerOf(desk, options));
    },
  },
  'tokens revoke': {
    options: { org: 'needed', token: 'needed', user: 'optional' },
    usage: '--org ORG --token tok_… [--user ID|EMAIL]',
    meaning: 'Makes a token worth nothing at once, its open event streams included.',
    async run(desk, options) {
      const owner = await ownerOf(desk, options);
      await desk.database.transaction(tx => desk.tokens.revoke(tx, owner, options.text('token'), OPERATOR));
      return { id: options.text('token'), revoked: true };
    },
  },
  'grants add': {
    options: { org: 'needed', credits: 'needed', id: 'needed', expires: 'optional' },
    usage: '--org ORG --credits N --id ID [--expires DATE]',
    meaning:
      'Gives credits that nobody paid for. The id is yours to choose: given twice with the same one, they are given once.',
    async run({ database, ledger, clock }, options) {
      const orgId = await organisation(database, options);
      const expiresAt = options.has('expires') ? options.dateAfter('expires', clock()) : undefined;
      const amountUcr = options.credits('credits');
      return once(database, options, { orgId, account: 'promotions', amountUcr }, tx =>
        ledger.grant(tx, orgId, {
          kind: 'promotional',
          amountUcr,
          type: 'grant',
          source: { type: OPERATOR, id: options.text('id') },
          actor: OPERATOR,
          ...(expiresAt && { expiresAt }),
        }),
      );
    },
  },
  'plan set': {
    options: { org: 'needed', included: 'optional', day: 'optional', rollover: 'optional', none: 'flag' },
    usage: '--org ORG --included N [--day 1..31] [--rollover N] | --org ORG --none',
    meaning:
      'Credits that are included each month, from which day on, and how many go over into the next. What is left out stays\n           as it is: at first today’s day, and none.',
    async run({ database, ledger, clock }, options) {
      const orgId = await organisation(database, options);
      if (options.has('none') === options.has('included')) {
        throw new CommandRefused('Either --included or --none must be given. See --help.');
      }
      // What is not said of a plan that runs stays as it is.
      const before = await database.query
        .selectFrom('plans')
        .select(['anchor_day', 'rollover_cap_ucr'])
        .where('org_id', '=', orgId)
        .where('active', '=', true)
        .executeTakeFirst();
      const plan = options.has('none')
        ? null
        : {
            includedUcr: options.credits('included'),
            anchorDay: options.whole('day', 1, 31, before?.anchor_day ?? clock().getUTCDate()),
            rolloverCapUcr: options.has('rollover')
              ? options.credits('rollover', { zero: true })
              : (before?.rollover_cap_ucr ?? 0n),
          };
      await deed(database, orgId, async tx => {
        await ledger.setPlan(tx, orgId, plan);
        const details = {
          included_ucr: plan && Number(plan.includedUcr),
          day: plan?.anchorDay ?? null,
          rollover_cap_ucr: plan && Number(plan.rolloverCapUcr),
        };
        await note(tx, orgId, { action: 'plan.set', actor: OPERATOR, details }, clock());
      });
      return plan
        ? { included: Number(plan.includedUcr) / UCR_PER_CREDIT, day: plan.anchorDay }
        : { included: null };
    },
  },
  adjust: {
    options: { org: 'needed', credits: 'needed', reason: 'needed', id: 'optional' },
    usage: '--org ORG --credits ±N --reason TEXT [--id ID]',
    meaning:
      'Puts a balance right by another entry, with the reason in the ledger. With an id it is done once.',
    async run({ database, ledger }, options) {
      const orgId = await organisation(database, options);
      const amountUcr = options.credits('credits', { negative: true });
      return once(database, options, { orgId, account: 'adjustments', amountUcr }, tx =>
        ledger.adjust(tx, orgId, {
          amountUcr,
          actor: OPERATOR,
          reason: options.text('reason'),
          ...(options.has('id') && { adjustmentId: options.text('id') }),
        }),
      );
    },
  },
  'purchases parked': {
    options: {},
    usage: '',
    meaning: 'Payments that differ from their order (needs_review) and wait for a person.',
    async run({ database }) {
      const rows = await awaitingReview(database.query).execute();
      return rows.map(row => ({
        org: row.org_id,
        purchase: row.purchase_id,
        amount_minor: Number(row.amount_minor),
        currency: row.currency,
        credits: Number(row.credits_ucr) / UCR_PER_CREDIT,
        session: row.session_id,
        created_at: row.created_at.toISOString(),
      }));
    },
  },
  'purchases settle': {
    options: { org: 'needed', purchase: 'needed', as: 'needed', reason: 'needed' },
    usage: '--org ORG --purchase pur_… --as credited|failed --reason TEXT',
    meaning:
      'Decides such a payment after a look at it at the payment provider: what was ordered is credited, or nothing is.',
    async run({ database, ledger, clock }, options) {
      const orgId = await organisation(database, options);
      const purchaseId = options.text('purchase');
      const as = options.oneOf('as', ['credited', 'failed']);
      const verdict = { orgId, purchaseId, as, reason: options.text('reason'), actor: OPERATOR };
      const outcome = await database.transaction(tx => review(tx, ledger, verdict, clock()));
      if (outcome !== 'done') {
        throw new CommandRefused(
          outcome === 'not_waiting'
            ? `${purchaseId} of ${orgId} does not wait for a decision: purchases parked names those that do.`
            : `Money of ${purchaseId} has gone back: settle it as failed, and give what is due with adjust.`,
        );
      }
      return { purchase: purchaseId, status: as };
    },
  },
  restored: {
    options: {},
    usage: '',
    meaning:
      'After a backup was put back: numbers what comes now beyond what the lost time may have told, so that editors do\n           not take it for old. Run before the first server starts; done twice it does no harm.',
    async run({ database, ledger }) {
      const orgs = await database.query
        .selectFrom('organisations')
        .select('org_id')
        .orderBy('org_id')
        .execute();
      for (const { org_id } of orgs) {
        await database.transaction(tx => ledger.leapAhead(tx, org_id, OPERATOR));
      }
      return { organisations: orgs.length };
    },
  },
};

/** The command that these words begin with, and the words behind it. */
export function findAdminCommand(words: readonly string[]): { command: Command; rest: string[] } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    if (Object.hasOwn(adminCommands, name) && adminCommands[name]) {
      return { command: adminCommands[name], rest: words.slice(length) };
    }
  }
  return undefined;
}

export function readOptions(command: Command, rest: readonly string[]): Options {
  return new Options(rest, { ...command.options, json: 'flag' });
}

export async function runAdminCommand(
  database: Database,
  clock: Clock,
  command: Command,
  options: Options,
): Promise<string> {
  const desk = { database, ledger: new Ledger(clock), tokens: new AccessTokens(database, clock), clock };
  const result = await command.run(desk, options);
  if (options.has('json')) {
    return JSON.stringify(result);
  }
  const rows = Array.isArray(result) ? result : [result];
  return rows.length === 0 ? 'None.' : rows.map(inWords).join('\n');
}

function inWords(row: Readonly<Record<string, unknown>>): string {
  return Object.entries(row)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(',') : value}`)
    .join('  ');
}

/** Under the organisation's lock, which the audit log asks for. */
async function deed(database: Database, orgId: string, work: (tx: Tx) => Promise<void>): Promise<void> {
  await database.transaction(async tx => {
    await tx.selectFrom('organisations').select('org_id').where('org_id', '=', orgId).forUpdate().execute();
    await work(tx);
  });
}

/** Posts what came from or went to `account`. An id that stands for another amount is a slip, not the same deed again. */
async function once(
  database: Database,
  options: Options,
  { orgId, account, amountUcr }: { orgId: string; account: 'promotions' | 'adjustments'; amountUcr: bigint },
  work: (tx: Tx) => Promise<Posted>,
): Promise<Result> {
  return database.transaction(async tx => {
    const { version, duplicate } = await work(tx);
    if (duplicate) {
      const { amount_ucr } = await tx
        .selectFrom('ledger_entries')
        .select('amount_ucr')
        .where('org_id', '=', orgId)
        .where('version', '=', version)
        .where('account_id', '=', account)
        .executeTakeFirstOrThrow();
      if (amount_ucr !== -amountUcr) {
        throw new CommandRefused(
          `--id ${options.text('id')} stands for ${Number(-amount_ucr) / UCR_PER_CREDIT} credits already: another amount needs an id of its own.`,
        );
      }
    }
    return { version: Number(version), duplicate };
  });
}

async function organisation(database: Database, options: Options): Promise<string> {
  const orgId = options.text('org');
  if ((await nameOf(database, orgId)) === undefined) {
    throw new CommandRefused(`There is no organisation ${orgId}: orgs list names them all.`);
  }
  return orgId;
}

async function nameOf(database: Database, orgId: string): Promise<string | undefined> {
  const row = await database.query
    .selectFrom('organisations')
    .select('name')
    .where('org_id', '=', orgId)
    .executeTakeFirst();
  return row?.name;
}

async function byEmail(database: Database, email: string): Promise<Principal | undefined> {
  const [first, ...more] = await people(database)
    .where(({ eb, fn }) => eb(fn<string>('lower', ['email']), '=', email.toLowerCase()))
    .limit(2)
    .execute();
  if (more.length > 0) {
    throw new CommandRefused(`Two people have the e-mail address ${email}: name one by id.`);
  }
  return first;
}

async function memberOf(database: Database, orgId: string, user: string): Promise<Principal> {
  const person = user.includes('@')
    ? await byEmail(database, user)
    : await people(database).where('principal_id', '=', user).executeTakeFirst();
  const membership =
    person &&
    (await database.query
      .selectFrom('memberships')
      .select('role')
      .where('org_id', '=', orgId)
      .where('principal_id', '=', person.id)
      .executeTakeFirst());
  if (!person || !membership) {
    throw new CommandRefused(`${user} is no member of ${orgId}: users list names them all.`);
  }
  return person;
}

/** Of one provider, one person is one subject. Said again it is as it was. */
async function checkLinked(tx: Tx, userId: string, issuer: string, subject: string): Promise<void> {
  const linked = await tx
    .selectFrom('identities')
    .select('principal_id')
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst();
  if (linked?.principal_id !== userId) {
    throw new CommandRefused(
      linked
        ? `Subject ${subject} of ${issuer} is ${linked.principal_id} already.`
        : `${userId} is another subject of ${issuer} already.`,
    );
  }
}

/** Looked up under the organisation's lock: another may have changed it since the member was found. */
async function roleOf(tx: Tx, orgId: string, userId: string): Promise<Role> {
  const { role } = await tx
    .selectFrom('memberships')
    .select('role')
    .where('org_id', '=', orgId)
    .where('principal_id', '=', userId)
    .executeTakeFirstOrThrow(() => new RequestRefused('member_not_found'));
  return role;
}

function people({ query }: Database) {
  return query
    .selectFrom('principals')
    .select(['principal_id as id', 'kind', 'name', 'email'])
    .where('kind', '=', 'person');
}

async function ownerOf({ database }: Desk, options: Options): Promise<Owner> {
  const orgId = await organisation(database, options);
  return options.has('user')
    ? { principalId: (await memberOf(database, orgId, options.text('user'))).id }
    : { servicesOf: orgId };
}
