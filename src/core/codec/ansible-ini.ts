import {printable} from '../text.js'
import type {AnsibleInventory} from './ansible-inventory.js'
import {AnsibleBuilder, expandHostPattern} from './ansible-inventory.js'
import type {Parsed} from './parse-problem.js'
import {parsed, problemAt} from './parse-problem.js'

const TEXT_MAX = 4 << 20

interface Word {
  readonly text: string
  readonly column: number
}
type Section = {readonly group: string; readonly kind: 'hosts' | 'vars' | 'children'}

/**
 * Reads an Ansible inventory in INI form: groups, `:children`, `:vars`, ranges such as `web[1:3]`, variables behind a
 * host. Values are text without their quotes; nothing in them is evaluated.
 */
export function parseAnsibleIni(text: string, file?: string): Parsed<AnsibleInventory> {
  if (text.length > TEXT_MAX) return problemAt('the inventory is too large', {line: 1, column: 1}, file)
  const builder = new AnsibleBuilder()
  let section: Section = {group: 'ungrouped', kind: 'hosts'}
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim()
    if (content === '' || content.startsWith('#') || content.startsWith(';')) continue
    const place = {line: index + 1, column: line.length - line.trimStart().length + 1}
    if (content.startsWith('[')) {
      const next = readSection(content)
      if (next === undefined) return problemAt(`not a section: ${printable(content, 80)}`, place, file)
      section = next
      builder.addGroup(next.group)
      continue
    }
    const problem = readLine(builder, section, line, content)
    if (problem !== undefined) return problemAt(problem.text, {line: index + 1, column: problem.column}, file)
    if (builder.full) return problemAt('too many hosts or groups', place, file)
  }
  return parsed(builder.build())
}

function readSection(content: string): Section | undefined {
  const match = /^\[([^\][:\s]+)(?::(vars|children|hosts))?\]\s*(?:[#;].*)?$/.exec(content)
  if (match === null) return undefined
  return {group: match[1] ?? '', kind: (match[2] as Section['kind'] | undefined) ?? 'hosts'}
}

function readLine(
  builder: AnsibleBuilder,
  section: Section,
  line: string,
  content: string,
): {readonly text: string; readonly column: number} | undefined {
  const indent = line.length - line.trimStart().length
  if (section.kind === 'vars') {
    const match = /^([^=\s]+)\s*=\s*([\s\S]*)$/.exec(content)
    if (match === null) return {text: 'expected name=value', column: indent + 1}
    builder.setGroupVariable(section.group, match[1] ?? '', unquote(withoutComment(match[2] ?? '')))
    return undefined
  }
  if (section.kind === 'children') {
    const [child = ''] = content.split(/\s/)
    builder.addChild(section.group, child)
    return undefined
  }
  const words = splitWords(line)
  if (words === undefined) return {text: 'a quote is not closed', column: indent + 1}
  return readHost(builder, section.group, words)
}

function readHost(
  builder: AnsibleBuilder,
  group: string,
  words: readonly Word[],
): {readonly text: string; readonly column: number} | undefined {
  const [first, ...rest] = words
  if (first === undefined) return undefined
  // `host:port`, which Ansible takes for a port only outside of brackets.
  const [, pattern = first.text, port] = /^((?:[^:[\]]|\[[^\]]*\])+):(\d{1,5})$/.exec(first.text) ?? []
  const names = expandHostPattern(pattern)
  if (names === undefined)
    return {text: `not a host or range: ${printable(pattern, 80)}`, column: first.column}
  for (const name of names) {
    builder.addHost(group, name)
    if (port !== undefined) builder.setHostVariable(name, 'ansible_port', port)
  }
  for (const word of rest) {
    const split = word.text.indexOf('=')
    if (split < 1) return {text: `expected name=value, got ${printable(word.text, 60)}`, column: word.column}
    for (const name of names)
      builder.setHostVariable(name, word.text.slice(0, split), unquote(word.text.slice(split + 1)))
  }
  return undefined
}

/** Words as a shell splits them, quotes kept out; a `#` that begins a word ends the line. */
function splitWords(line: string): readonly Word[] | undefined {
  const words: Word[] = []
  let at = 0
  while (at < line.length) {
    while (/\s/.test(line[at] ?? 'x')) at++
    if (at >= line.length || line[at] === '#') break
    const column = at + 1
    let text = ''
    let quote = ''
    for (; at < line.length; at++) {
      const next = line[at] ?? ''
      if (quote === '' && /\s/.test(next)) break
      if (quote === '' && (next === '"' || next === "'")) quote = next
      else if (next === quote && quote !== '') quote = ''
      else if (next === '\\' && quote !== "'" && at + 1 < line.length) text += line[++at] ?? ''
      else text += next
    }
    if (quote !== '') return undefined
    words.push({text, column})
  }
  return words
}

function withoutComment(value: string): string {
  return value.replace(/\s+#.*$/, '').trim()
}

function unquote(value: string): string {
  const match = /^(["'])([\s\S]*)\1$/.exec(value)
  return match === null ? value : (match[2] ?? '')
}
