/** A broken promise of our own code. Never caught: it is printed with its trace and exits 1. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Stops the program when `claim` is false: we are wrong, not the operator. */
export function assert(claim: boolean, message: string): asserts claim {
  if (!claim) throw new InvariantError(message)
}

/** Ends a `switch` over a union; does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw new InvariantError(`unexpected case: ${JSON.stringify(value)}`)
}
