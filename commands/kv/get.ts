import {Args, Flags} from '@oclif/core'
import {apiFlags, datacenterFlag, staleFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'
import type {KeyValue} from '../../src/client/kv.js'
import {QuorateError} from '../../src/errors.js'
import type {AgentApi} from '../../src/ports/agent-api.js'
import type {Terminal} from '../../src/ui/terminal.js'

interface GetFlags {
  readonly stale: boolean
  readonly datacenter?: string | undefined
  readonly detailed: boolean
  readonly base64: boolean
}
type Got = KeyValue | readonly KeyValue[] | readonly string[]

/** Reads keys. */
export default class KvGet extends BaseCommand<Got> {
  static override summary = 'Read a key, or all keys that begin with a prefix.'
  static override description =
    'On a terminal a value shows without what could move the cursor; into a file or pipe it goes as it is.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> app/config',
    '<%= config.bin %> <%= command.id %> --recurse app/',
    '<%= config.bin %> <%= command.id %> --keys --separator / app/',
  ]
  static override args = {
    key: Args.string({description: 'Key or prefix; with --recurse and --keys none means all.'}),
  }
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    ...staleFlag,
    recurse: Flags.boolean({exclusive: ['keys'], summary: 'Every key that begins with it.'}),
    keys: Flags.boolean({summary: 'Names only.'}),
    separator: Flags.string({
      default: '/',
      summary: 'With --keys: stop names after this sign; empty for whole names.',
    }),
    detailed: Flags.boolean({exclusive: ['keys'], summary: 'Show indexes, flags and session too.'}),
    base64: Flags.boolean({exclusive: ['keys'], summary: 'Show values in base64, as they are stored.'}),
  }

  /** Asks one agent. */
  async run(): Promise<Got> {
    const {args, flags} = await this.parse(KvGet)
    const [{openAgentApi}, kv] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/kv.js'),
    ])
    if (args.key === undefined && !flags.recurse && !flags.keys)
      throw new QuorateError('USAGE', 'kv get takes a key; without one, --recurse or --keys.')
    const api = await openAgentApi(flags)
    const terminal = this.terminal(flags)
    const prefix = args.key ?? ''
    if (flags.keys) {
      const result = await kv.listKeyNames(api, prefix, {...flags, datacenter: flags.datacenter})
      const {renderLines} = await import('../../src/ui/views/done.js')
      return this.show({result, exit: 'ok', screen: () => renderLines(result)}, terminal)
    }
    return flags.recurse ? this.several(api, prefix, flags, terminal) : this.one(api, prefix, flags, terminal)
  }

  private async several(api: AgentApi, prefix: string, flags: GetFlags, terminal: Terminal): Promise<Got> {
    const {readKeys} = await import('../../src/client/kv.js')
    const views = await import('../../src/ui/views/kv.js')
    const result = await readKeys(api, prefix, {...flags, datacenter: flags.datacenter, recurse: true})
    const valueOf = (one: KeyValue): string => (flags.base64 ? one.value : views.renderValue(bytesOf(one)))
    const screen = (): string =>
      flags.detailed ? views.renderKeyDetails(result, valueOf) : views.renderKeyValues(result, valueOf)
    return this.show({result, exit: 'ok', screen}, terminal)
  }

  private async one(api: AgentApi, key: string, flags: GetFlags, terminal: Terminal): Promise<Got> {
    const {readKeys} = await import('../../src/client/kv.js')
    const views = await import('../../src/ui/views/kv.js')
    const [result] = await readKeys(api, key, {...flags, datacenter: flags.datacenter, recurse: false})
    if (result === undefined)
      throw new QuorateError('KEY_NOT_FOUND', `There is no key ${key}.`, {details: {key}})
    if (!flags.detailed && !flags.base64 && !terminal.interactiveOut && !this.jsonEnabled()) {
      process.stdout.write(Buffer.concat([bytesOf(result), Buffer.from('\n')]))
      return result
    }
    const valueOf = (one: KeyValue): string => (flags.base64 ? one.value : views.renderValue(bytesOf(one)))
    const screen = (): string =>
      flags.detailed ? views.renderKeyDetails([result], valueOf) : valueOf(result)
    return this.show({result, exit: 'ok', screen}, terminal)
  }
}

function bytesOf(one: KeyValue): Buffer {
  return Buffer.from(one.value, 'base64')
}
