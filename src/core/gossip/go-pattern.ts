/**
 * Regular expressions of strangers, matched in time that is linear in pattern × text: a backtracking engine could be
 * kept busy for ever by a query of one packet. Go's syntax as far as tags need it: literals, `.`, classes, groups,
 * alternatives, `* + ? {n,m}` (greedy or not makes no difference to whether there is a match), `^ $ \A \z`, `\d \w \s`
 * and a leading `(?i)`.
 */

const PATTERN_CHARACTERS_MAX = 512
const STEPS_MAX = 4000
const DEPTH_MAX = 64
const REPEAT_MAX = 1000

/** Whether the pattern matches anywhere in the text. A pattern that is not understood matches nothing. */
export function matchesGoPattern(pattern: string, text: string): boolean {
  if (pattern.length > PATTERN_CHARACTERS_MAX) return false
  const ignoreCase = pattern.startsWith('(?i)')
  try {
    const source = ignoreCase ? pattern.slice(4).toLowerCase() : pattern
    const program = new Compiler(source).compile()
    return run(program, ignoreCase ? text.toLowerCase() : text)
  } catch (error) {
    if (error instanceof NotUnderstood) return false
    throw error
  }
}

class NotUnderstood extends Error {}

type Test = (character: string) => boolean

type Tree =
  | {readonly kind: 'one'; readonly test: Test}
  | {readonly kind: 'start'}
  | {readonly kind: 'end'}
  | {readonly kind: 'all'; readonly of: readonly Tree[]}
  | {readonly kind: 'any'; readonly of: readonly Tree[]}
  | {readonly kind: 'repeat'; readonly of: Tree; readonly min: number; readonly max: number}

type Step =
  | {readonly kind: 'one'; readonly test: Test}
  | {readonly kind: 'start'}
  | {readonly kind: 'end'}
  | {kind: 'fork'; to: readonly number[]}
  | {readonly kind: 'match'}

class Compiler {
  private readonly characters: readonly string[]
  private at = 0
  private readonly steps: Step[] = []

  constructor(source: string) {
    this.characters = Array.from(source)
  }

  compile(): readonly Step[] {
    const tree = this.alternatives(0)
    if (this.at < this.characters.length) throw new NotUnderstood()
    this.emit(tree)
    this.push({kind: 'match'})
    return this.steps
  }

  private alternatives(depth: number): Tree {
    if (depth > DEPTH_MAX) throw new NotUnderstood()
    const choices = [this.sequence(depth)]
    while (this.take('|')) choices.push(this.sequence(depth))
    const [only] = choices
    return choices.length === 1 && only !== undefined ? only : {kind: 'any', of: choices}
  }

  private sequence(depth: number): Tree {
    const items: Tree[] = []
    for (;;) {
      const next = this.characters[this.at]
      if (next === undefined || next === '|' || next === ')') return {kind: 'all', of: items}
      items.push(this.repeated(this.atom(depth)))
    }
  }

  private repeated(of: Tree): Tree {
    const range = this.quantifier()
    if (range === undefined) return of
    this.take('?')
    // Go refuses a repeat of a repeat
    if (this.quantifier() !== undefined) throw new NotUnderstood()
    return {kind: 'repeat', of, ...range}
  }

  private quantifier(): {readonly min: number; readonly max: number} | undefined {
    if (this.take('*')) return {min: 0, max: Infinity}
    if (this.take('+')) return {min: 1, max: Infinity}
    if (this.take('?')) return {min: 0, max: 1}
    if (this.characters[this.at] !== '{') return undefined
    const close = this.characters.indexOf('}', this.at)
    const match = /^(\d{1,4})(,(\d{0,4}))?$/.exec(this.characters.slice(this.at + 1, close).join(''))
    // Without a count in it a brace stands for itself
    if (match === null) return undefined
    this.at = close + 1
    const min = Number(match[1])
    const max = match[2] === undefined ? min : match[3] === '' ? Infinity : Number(match[3])
    if (min > REPEAT_MAX || max < min || (max !== Infinity && max > REPEAT_MAX)) throw new NotUnderstood()
    return {min, max}
  }

  private atom(depth: number): Tree {
    const character = this.characters[this.at++] ?? ''
    switch (character) {
      case '(': {
        if (this.take('?') && !this.take(':')) throw new NotUnderstood()
        const inner = this.alternatives(depth + 1)
        if (!this.take(')')) throw new NotUnderstood()
        return inner
      }
      case '[':
        return {kind: 'one', test: this.characterClass()}
      case '.':
        return {kind: 'one', test: one => one !== '\n'}
      case '^':
        return {kind: 'start'}
      case '$':
        return {kind: 'end'}
      case '\\':
        return this.escape()
      case '*':
      case '+':
      case '?':
        throw new NotUnderstood()
      default:
        return {kind: 'one', test: one => one === character}
    }
  }

  private escape(): Tree {
    const character = this.characters[this.at] ?? ''
    if (character === 'A' || character === 'z') {
      this.at++
      return {kind: character === 'A' ? 'start' : 'end'}
    }
    return {kind: 'one', test: this.escapedTest()}
  }

  /** What stands behind a backslash, in a class or outside. */
  private escapedTest(): Test {
    const character = this.characters[this.at++]
    if (character === undefined) throw new NotUnderstood()
    const named = NAMED.get(character)
    if (named !== undefined) return named
    if (/[a-zA-Z0-9]/.test(character)) throw new NotUnderstood()
    return one => one === character
  }

  private characterClass(): Test {
    const negated = this.take('^')
    const tests: Test[] = []
    for (let first = true; ; first = false) {
      const character = this.characters[this.at++]
      if (character === undefined) throw new NotUnderstood()
      if (character === ']' && !first) break
      if (character === '[' && this.characters[this.at] === ':') throw new NotUnderstood()
      if (character === '\\') tests.push(this.escapedTest())
      else tests.push(this.range(character))
    }
    return one => tests.some(test => test(one)) !== negated
  }

  private range(from: string): Test {
    const to = this.characters[this.at + 1]
    if (this.characters[this.at] !== '-' || to === undefined || to === ']') return one => one === from
    if (to === '\\' || to < from) throw new NotUnderstood()
    this.at += 2
    return one => one >= from && one <= to
  }

  private take(character: string): boolean {
    if (this.characters[this.at] !== character) return false
    this.at++
    return true
  }

  private emit(tree: Tree): void {
    switch (tree.kind) {
      case 'one':
      case 'start':
      case 'end':
        this.push(tree)
        return
      case 'all':
        for (const item of tree.of) this.emit(item)
        return
      case 'any':
        this.emitChoice(tree.of)
        return
      case 'repeat':
        this.emitRepeat(tree)
    }
  }

  private emitChoice(choices: readonly Tree[]): void {
    const fork = this.fork()
    const starts: number[] = []
    const jumps = choices.map(choice => {
      starts.push(this.steps.length)
      this.emit(choice)
      return this.fork()
    })
    fork.to = starts
    for (const jump of jumps) jump.to = [this.steps.length]
  }

  private emitRepeat({of, min, max}: Extract<Tree, {kind: 'repeat'}>): void {
    for (let i = 0; i < min; i++) this.emit(of)
    if (max === Infinity) {
      const start = this.steps.length
      const fork = this.fork()
      this.emit(of)
      this.push({kind: 'fork', to: [start]})
      fork.to = [start + 1, this.steps.length]
      return
    }
    const forks: {fork: Extract<Step, {kind: 'fork'}>; body: number}[] = []
    for (let i = min; i < max; i++) {
      forks.push({fork: this.fork(), body: this.steps.length})
      this.emit(of)
    }
    for (const {fork, body} of forks) fork.to = [body, this.steps.length]
  }

  private fork(): Extract<Step, {kind: 'fork'}> {
    const fork: Extract<Step, {kind: 'fork'}> = {kind: 'fork', to: []}
    this.push(fork)
    return fork
  }

  private push(step: Step): void {
    if (this.steps.length >= STEPS_MAX) throw new NotUnderstood()
    this.steps.push(step)
  }
}

const isDigit: Test = one => one >= '0' && one <= '9' && one.length === 1
const isWord: Test = one => /^[0-9A-Za-z_]$/.test(one)
const isSpace: Test = one => /^[\t\n\f\r ]$/.test(one)
const NAMED: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['d', isDigit],
  ['D', one => !isDigit(one)],
  ['w', isWord],
  ['W', one => !isWord(one)],
  ['s', isSpace],
  ['S', one => !isSpace(one)],
  ['n', one => one === '\n'],
  ['r', one => one === '\r'],
  ['t', one => one === '\t'],
])

/** Follows all ways through the program at once, each from every place of the text. */
function run(program: readonly Step[], text: string): boolean {
  const characters = Array.from(text)
  let current = new Set<number>()
  for (let at = 0; at <= characters.length; at++) {
    const place = {isStart: at === 0, isEnd: at === characters.length}
    if (reach(program, current, 0, place)) return true
    const character = characters[at]
    if (character === undefined) return false
    const next = new Set<number>()
    const nextPlace = {isStart: false, isEnd: at + 1 === characters.length}
    for (const index of current) {
      const step = program[index]
      if (step?.kind === 'one' && step.test(character) && reach(program, next, index + 1, nextPlace))
        return true
    }
    current = next
  }
  return false
}

interface Place {
  readonly isStart: boolean
  readonly isEnd: boolean
}

/** Adds a step and all that are reached from it without a character; true when the match is among them. */
function reach(program: readonly Step[], set: Set<number>, from: number, place: Place): boolean {
  const open = [from]
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    if (set.has(index)) continue
    set.add(index)
    const step = program[index]
    if (step?.kind === 'match') return true
    if (step?.kind === 'fork') open.push(...step.to)
    if (step?.kind === 'start' && place.isStart) open.push(index + 1)
    if (step?.kind === 'end' && place.isEnd) open.push(index + 1)
  }
  return false
}
