// What a budget allows from its next period on, where that is not what it allows in this one.
export const budgetResetsSchema = [
  `alter table budgets
    -- Null: the same as limit_ucr.
    add reset_ucr bigint check (reset_ucr >= 0),
    -- limit_ucr is of the period that began then; of any, where there is no reset_ucr.
    add limit_since timestamptz,
    add constraint reset_has_a_period check (reset_ucr is null or limit_since is not null)`,
];
