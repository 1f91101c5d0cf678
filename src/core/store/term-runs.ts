/** The terms of entries whose heads were read on the way, kept as runs: a log has few terms and many entries. */
export class TermRuns {
  readonly #runs: {from: number; to: number; readonly term: number}[] = []

  /** Notes the term of an entry. */
  add(index: number, term: number): void {
    for (const run of this.#runs) {
      if (run.term !== term || index < run.from - 1 || index > run.to + 1) continue
      run.from = Math.min(run.from, index)
      run.to = Math.max(run.to, index)
      return
    }
    this.#runs.push({from: index, to: index, term})
  }

  /** The term at an index; undefined when that entry was not read. */
  at(index: number): number | undefined {
    return this.#runs.find(run => run.from <= index && index <= run.to)?.term
  }
}
