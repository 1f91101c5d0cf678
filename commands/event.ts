import {Args, Flags} from '@oclif/core'
import {apiFlags, datacenterFlag} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'
import type {FiredEvent} from '../src/client/membership.js'

/** Fires a user event. */
export default class Event extends BaseCommand<FiredEvent> {
  static override summary = 'Fire a user event that gossip carries to every agent.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> deploy 1.4.2',
    '<%= config.bin %> <%= command.id %> restart --node ^web',
  ]
  static override args = {
    name: Args.string({required: true, description: 'Name of the event.'}),
    payload: Args.string({description: 'What it carries, a few hundred bytes at most.'}),
  }
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    node: Flags.string({helpValue: 'REGEX', summary: 'Only for nodes whose name matches.'}),
    service: Flags.string({helpValue: 'REGEX', summary: 'Only for nodes with a service whose name matches.'}),
    tag: Flags.string({
      helpValue: 'REGEX',
      dependsOn: ['service'],
      summary: 'Only where the service has a tag that matches.',
    }),
  }

  /** Asks one agent to fire it. */
  async run(): Promise<FiredEvent> {
    const {args, flags} = await this.parse(Event)
    const [{openAgentApi}, {fireEvent}, {renderDone}] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
      import('../src/ui/views/done.js'),
    ])
    const {node, service, tag, datacenter} = flags
    const payload = new TextEncoder().encode(args.payload ?? '')
    const result = await fireEvent(await openAgentApi(flags), {
      name: args.name,
      payload,
      node,
      service,
      tag,
      datacenter,
    })
    return this.show(
      {result, exit: 'ok', screen: () => renderDone(`Event ID: ${result.id}`)},
      this.terminal(flags),
    )
  }
}
