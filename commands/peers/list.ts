import {BaseCommand} from '../../src/base-command.js'
import {fleetFlags} from '../../src/fleet-flags.js'
import type {peersListJson} from '../../src/ui/views/peers-list.js'

type PeersListResult = ReturnType<typeof peersListJson>

/** Shows the peer set as each server believes it, side by side. */
export default class PeersList extends BaseCommand<PeersListResult> {
  static override summary = 'Show the peer set as each server believes it, side by side, live or stopped.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server1 server2 server3',
    '<%= config.bin %> <%= command.id %> --cluster prod --json',
  ]
  static override strict = false
  static override flags = fleetFlags

  /** Looks and shows; judges nothing. */
  async run(): Promise<PeersListResult> {
    const {argv, flags} = await this.parse(PeersList)
    const terminal = this.terminal(flags)
    const {openSession} = await import('../../src/context.js')
    const {doctor} = await import('../../src/engine/use-cases/doctor.js')
    const {peersListJson, renderPeersList} = await import('../../src/ui/views/peers-list.js')
    const opened = await openSession(flags, argv as string[], terminal)
    try {
      const {facts} = await doctor(opened.session, {
        ourVersion: this.config.version,
        compareContents: false,
      })
      return await this.show(
        {
          result: peersListJson(facts),
          cluster: facts.fleet.cluster,
          warnings: opened.session.reachAdvice(),
          exit: facts.peerSet === undefined ? 'inconclusive' : 'ok',
          screen: theme => renderPeersList(facts, {theme, width: terminal.width}),
        },
        terminal,
      )
    } finally {
      await opened.close()
    }
  }
}
