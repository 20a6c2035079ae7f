// What a database says went wrong, in the one form that all of them share.

/** The SQLSTATE of a database's error. Codes agree between PGlite and PostgreSQL; classes and messages do not. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    // Node's own codes are longer, but for EPIPE and its like.
    /^[0-9A-Z]{5}$/.test(error.code) &&
    !('syscall' in error)
    ? error.code
    : undefined;
}
