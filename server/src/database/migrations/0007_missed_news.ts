// News that was never delivered, and how far the payment side's own list of events was read for it.
export const missedNewsSchema = [
  `alter table stripe_events add found_by_looking boolean not null default false`,
  `create table stripe_reading (
    one boolean primary key default true check (one),
    -- By the payment side's clock: when the newest event that was read came to be.
    read_to timestamptz not null
  )`,
];
