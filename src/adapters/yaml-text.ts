import type {Document, LineCounter} from 'yaml'

/** A YAML text that was read: its value, and what tells where its parts stand. */
export interface YamlText {
  readonly value: unknown
  readonly document: Document.Parsed
  readonly counter: LineCounter
}

/** Lines and columns count from 1. */
export interface YamlPlace {
  readonly line: number
  readonly col: number
}

/** Reads a YAML text. Throws what `invalid` makes of a text that is none; the place is not known of every fault. */
export async function readYaml(
  text: string,
  invalid: (what: string, place?: YamlPlace) => Error,
): Promise<YamlText> {
  const {LineCounter, parseDocument} = await import('yaml')
  const counter = new LineCounter()
  const document = parseDocument(text, {lineCounter: counter, prettyErrors: false})
  const notYaml = (message: string): string => `this is not YAML: ${message.split('\n')[0]}.`
  const error = document.errors[0]
  if (error !== undefined) throw invalid(notYaml(error.message), counter.linePos(error.pos[0]))
  try {
    // An alias without an anchor, and aliases that would multiply without end, show only here
    return {value: document.toJS({maxAliasCount: 100}), document, counter}
  } catch (fault) {
    throw invalid(notYaml((fault as Error).message))
  }
}
