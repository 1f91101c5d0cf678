import {Flags} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import type {AgentFlag} from '../src/core/codec/agent-flags.js'
import {AGENT_FLAGS} from '../src/core/codec/agent-flags.js'

/** How an agent ended. */
interface AgentEnded {
  readonly exitCode: number
}

function declared(flag: AgentFlag): ReturnType<typeof Flags.boolean> | ReturnType<typeof Flags.string> {
  const {kind, summary, group, value} = flag
  const common = {summary, helpGroup: group, hidden: group === 'UNUSED'}
  if (kind === 'switch' || kind === 'none-switch') return Flags.boolean(common)
  const helpValue = value ?? (kind === 'duration' ? 'TIME' : 'N')
  const several = kind === 'texts' || kind === 'pair' || kind === 'source'
  return {...Flags.string({...common, helpValue}), ...(several ? {multiple: true} : {})} as ReturnType<
    typeof Flags.string
  >
}

/** Runs an agent, a server or a client, until it is told to stop. */
export default class Agent extends BaseCommand<AgentEnded> {
  static override summary = 'Run an agent: a durable server, or a client, that speaks as Consul does.'
  static override description =
    'Takes the flags of `consul agent`, with one dash or two, and its config files in JSON and HCL; what it does not ' +
    'know is an error that names file and line. Listens on loopback unless told otherwise.\n\n' +
    'SIGHUP reads the config again and takes over log_level, node_meta, limits and raft_snapshot_threshold, ' +
    'raft_snapshot_interval and raft_trailing_logs; files that are wrong change nothing. SIGINT and SIGTERM leave the ' +
    'cluster or merely stop, by leave_on_terminate, skip_leave_on_interrupt and their defaults: a server stops, a ' +
    'client leaves; with -raft-protocol 0 SIGINT leaves and SIGTERM stops. As with Consul the status is 0 after a ' +
    'leave and 1 after a stop.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> -dev',
    '<%= config.bin %> <%= command.id %> -server -bootstrap-expect=3 -data-dir=/var/lib/quorate -retry-join=10.0.0.2',
    '<%= config.bin %> <%= command.id %> -config-dir=/etc/consul.d',
  ]
  static override flags = Object.fromEntries(AGENT_FLAGS.map(flag => [flag.name, declared(flag)]))

  /** Runs until the agent ends. */
  async run(): Promise<AgentEnded> {
    const flags = this.agentFlags()
    // Go's `flag` package knows help by one dash too
    if (flags.some(flag => /^--?help$/.test(flag))) {
      const {loadHelpClass} = await import('@oclif/core')
      await new (await loadHelpClass(this.config))(this.config).showHelp(['agent'])
      return {exitCode: 0}
    }
    const [{runAgent}, {startAgent}, {renderAgentStart}] = await Promise.all([
      import('../src/agent/run-agent.js'),
      import('../src/agent/agent.js'),
      import('../src/ui/views/agent-start.js'),
    ])
    // Under --json stdout holds the one document of its end, and the log goes beside it
    const stream = this.jsonEnabled() ? process.stderr : process.stdout
    // Whoever read the log may go away; the agent stays
    stream.on('error', () => undefined)
    const exitCode = await runAgent(flags, {
      start: startAgent,
      out: text => stream.write(text),
      banner: (options, nodeId) => renderAgentStart(options, nodeId, this.config.version),
      nowMs: () => Date.now(),
    })
    process.exitCode = exitCode
    return {exitCode}
  }

  /** Everything but the flags common to all commands, for which Go's `flag` package is the judge, not oclif. */
  private agentFlags(): readonly string[] {
    const common = /^--(json|(no-)?color|(no-)?input)$/
    return this.argv.filter(word => !common.test(word))
  }
}
