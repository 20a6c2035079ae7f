// Signing in by an identity provider: a real one, from the browser's first page to the answer of this server.
import assert from 'node:assert/strict';
import { paths, scopes } from '../../protocol/api.ts';
import { newSecret } from '../../server/src/ids.ts';
import { booksAreInOrder, House, type Org } from './support/house.ts';
import { AUDIENCE, CLIENT_ID, IdentitySide, REDIRECT_URI } from './support/signIn.ts';

describe('signing in by an identity provider', () => {
  const name = newSecret().slice(0, 12);
  const ada = { id: `subject-ada-${name}`, name: 'Ada', email: `ada-${name}@acme.example` };
  const eve = { id: `subject-eve-${name}`, name: 'Eve', email: `eve-${name}@acme.example` };
  let provider: IdentitySide;
  let house: House;
  let org: Org;
  let adaId: string;
  before(async () => {
    provider = await IdentitySide.start([ada, eve]);
    house = await House.build({ environment: provider.environment });
    org = await house.org();
    adaId = `usr_Ada_${org.id.slice('org_'.length)}`;
    await house.database.query
      .updateTable('principals')
      .set({ email: ada.email.toUpperCase() })
      .where('principal_id', '=', adaId)
      .execute();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
    await provider.close();
  });

  it('tells clients where to sign in, and as whom', async () => {
    const resource = (await house.get(paths.protectedResource())).json();
    assert.deepEqual(
      [resource.resource, resource.authorization_servers, resource.scopes_supported],
      [AUDIENCE, [provider.issuer.url], [...scopes]],
    );
    const meta = (await house.get(paths.meta())).json();
    assert.deepEqual(meta.sign_in, { client_id: CLIENT_ID, redirect_uri: REDIRECT_URI });
    const answer = await house.get(paths.me());
    assert.equal(
      answer.headers['www-authenticate'],
      `Bearer resource_metadata="${AUDIENCE}/.well-known/oauth-protected-resource"`,
    );
  });

  it('knows a person by the verified e-mail address at first, and by the subject from then on', async () => {
    const { access_token } = await provider.signIn(ada.email);
    const me = await house.get(paths.me(), access_token);
    assert.deepEqual([me.statusCode, me.json().principal.id], [200, adaId], me.body);
    assert.equal((await house.get(paths.balance(org.id), access_token)).statusCode, 200);
    await house.database.query
      .updateTable('principals')
      .set({ email: 'moved@acme.example' })
      .where('principal_id', '=', adaId)
      .execute();
    assert.equal((await house.get(paths.me(), access_token)).json().principal.id, adaId);
  });
});
