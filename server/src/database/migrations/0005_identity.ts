// People of identity providers, sign-ins on their way back, and what a token may be used for.
export const identitySchema = [
  // Of one provider, one person is one subject: an address that was given to somebody else does not open the account.
  `create table identities (
    issuer text not null,
    subject text not null,
    principal_id text not null references principals,
    created_at timestamptz not null,
    primary key (issuer, subject),
    constraint one_subject_of_an_issuer unique (issuer, principal_id)
  )`,
  `create index principals_by_email on principals (lower(email))`,

  // A state stays after it was used until it expires, so that nobody can use it again for another address.
  `create table sign_in_returns (
    state_hash text primary key check (state_hash ~ '^[0-9a-f]{64}$'),
    callback_uri text not null,
    expires_at timestamptz not null,
    used_at timestamptz
  )`,
  `create index sign_in_returns_by_expiry on sign_in_returns (expires_at)`,

  `alter table tokens
    -- A name to speak of it by; it tells too little of the hash to find the token by.
    add token_id text generated always as ('tok_' || substr(token_hash, 1, 26)) stored,
    add name text,
    -- Separated by spaces; null for all that its kind of principal may.
    add scope text,
    add last_used_at timestamptz,
    add constraint token_ids unique (token_id)`,
  `create index tokens_by_principal on tokens (principal_id)`,
];
