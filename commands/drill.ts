import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import {ownAgent} from '../src/cluster-command.js'
import type {DrillEvent} from '../src/cluster/drill/run.js'
import type {Scenario} from '../src/cluster/drill/scenario.js'
import type {DrillReport} from '../src/core/model/drill-report.js'
import {renderStory} from '../src/ui/views/drill.js'
import type {Terminal} from '../src/ui/terminal.js'
import type {Theme} from '../src/ui/views/theme.js'

/** What `drill --json` prints: the report, or with --list the scenarios. */
export type DrillJson =
  DrillReport | {readonly scenarios: readonly {readonly name: string; readonly title: string}[]}

/** Plays a failure on a local cluster and scores the repair. */
export default class Drill extends BaseCommand<DrillJson> {
  static override summary = 'Practise a failure: raise a cluster, break it, watch the repair, score it.'
  static override description =
    'Raises servers on this machine, writes to them without end, injects the failure, and watches until all is well again; you repair in another terminal, or --auto does with the commands of quorate. ' +
    'Points: 40 for a leader that takes writes, 30 when every acknowledged write that a server still held is there, 20 for a peer set that names whom it should and that all agree on, 10 for having given up no more than needed. ' +
    'The cluster is gone afterwards.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> majority-dead --auto',
    '<%= config.bin %> <%= command.id %> --list',
  ]
  static override args = {
    scenario: Args.string({default: 'majority-dead', description: 'The failure; see --list.'}),
  }
  static override flags = {
    auto: Flags.boolean({summary: 'Repair by the commands of quorate, and show them.'}),
    list: Flags.boolean({summary: 'List the scenarios and stop.'}),
    name: Flags.string({
      char: 'n',
      default: 'drill',
      helpValue: 'NAME',
      summary: 'Name of the cluster; one that is there already is taken down.',
    }),
    keep: Flags.boolean({summary: 'Leave the cluster as it is in the end.'}),
    limit: Flags.integer({
      default: 1800,
      min: 5,
      max: 86_400,
      helpValue: 'SECONDS',
      summary: 'How long the repair may take.',
    }),
  }

  /** Plays. */
  async run(): Promise<DrillJson> {
    const {args, flags} = await this.parse(Drill)
    const terminal = this.terminal(flags)
    const {SCENARIOS, scenarioOf} = await import('../src/cluster/drill/scenarios/index.js')
    const {makeTheme} = await import('../src/ui/theme.js')
    const theme = await makeTheme(terminal)
    if (flags.list) return this.showList(SCENARIOS, terminal)
    const scenario = scenarioOf(args.scenario)
    const {runDrill} = await import('../src/cluster/drill/run.js')
    const {renderDrillReport} = await import('../src/ui/views/drill.js')
    const givenUp = new AbortController()
    const onInterrupt = (): void => givenUp.abort()
    process.on('SIGINT', onInterrupt)
    process.on('SIGTERM', onInterrupt)
    try {
      const report = await runDrill(process.env, {
        scenario,
        name: flags.name,
        program: await ownAgent(),
        auto: Boolean(flags.auto),
        keep: Boolean(flags.keep),
        limitMs: flags.limit * 1000,
        runCommand: async words => this.runCommand(words),
        onEvent: event => this.tellEvent(event, {scenario, auto: flags.auto, theme, terminal}),
        signal: givenUp.signal,
      })
      const layout = {theme, width: terminal.width}
      return await this.show(
        {
          result: report,
          cluster: flags.name,
          exit: report.solved ? 'ok' : 'verify-failed',
          screen: () => renderDrillReport(report, scenario.lesson, layout),
        },
        terminal,
      )
    } finally {
      process.off('SIGINT', onInterrupt)
      process.off('SIGTERM', onInterrupt)
    }
  }

  private async showList(scenarios: readonly Scenario[], terminal: Terminal): Promise<DrillJson> {
    const {renderScenarios} = await import('../src/ui/views/drill.js')
    const list = scenarios.map(({name, title, unplayable}) => ({
      name,
      title,
      playable: unplayable?.() === undefined,
    }))
    return this.show(
      {
        result: {scenarios: list},
        exit: 'ok',
        screen: theme => renderScenarios(list, {theme, width: terminal.width}),
      },
      terminal,
    )
  }

  /** The story goes to stdout with the report; what happens along the way to stderr. */
  private tellEvent(
    event: DrillEvent,
    about: {
      readonly scenario: Scenario
      readonly auto: boolean
      readonly theme: Theme
      readonly terminal: Terminal
    },
  ): void {
    if (this.jsonEnabled()) return
    const {scenario, auto, theme, terminal} = about
    switch (event.type) {
      case 'raised':
        this.logToStderr(
          `${event.cluster.state.members.length} servers are up; ${scenario.writes} writes begin.`,
        )
        break
      case 'written':
        this.logToStderr(`${event.count} writes are acknowledged, more go on in the background.`)
        break
      case 'failed':
        this.log(
          renderStory(
            {
              title: scenario.title,
              story: scenario.story,
              cluster: event.cluster.name,
              servers: event.cluster.servers,
              auto,
            },
            {theme, width: terminal.width},
          ),
        )
        break
      case 'step':
        this.log(
          `\n${theme.bold('run' in event.step ? `$ quorate ${event.step.run.join(' ')}` : `# ${event.step.by}`)}`,
        )
        break
      case 'settling':
        break
    }
  }

  /** Runs a command of ours as the operator would; under --json its words go to stderr. */
  private async runCommand(words: readonly string[]): Promise<number> {
    const {spawn} = await import('node:child_process')
    const [program = process.execPath, cli = ''] = (await ownAgent()).command
    const out = this.jsonEnabled() ? 2 : 1
    return new Promise((resolve, reject) => {
      const child = spawn(program, [cli, ...words], {stdio: ['ignore', out, 2]})
      child.once('error', reject)
      child.once('exit', code => resolve(code ?? 1))
    })
  }
}
