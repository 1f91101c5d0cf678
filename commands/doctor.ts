import {Flags} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import {fleetFlags} from '../src/fleet-flags.js'
import type {DoctorJson} from '../src/ui/views/doctor-json.js'

/** Observes and diagnoses; prints findings and remedies. */
export default class Doctor extends BaseCommand<DoctorJson> {
  static override summary =
    'Say what is wrong with a cluster, on what evidence, and what to do, least drastic first.'
  static override description =
    'Asks every server, live or stopped: process, unit, files, log store, API, journal. Changes nothing on any host. ' +
    'Without an argument it looks at the only cluster of the inventory, or at this machine if it runs a server.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server1 server2 server3',
    '<%= config.bin %> <%= command.id %> --cluster prod',
    '<%= config.bin %> <%= command.id %> --discover server1',
  ]
  static override strict = false
  static override flags = {
    ...fleetFlags,
    deep: Flags.boolean({
      summary: 'Read every snapshot whole and check its size and checksum; raise --timeout for large ones.',
    }),
    explain: Flags.boolean({summary: 'Show where each fact came from and all evidence.'}),
    format: Flags.string({
      options: ['text', 'nagios'] as const,
      default: 'text',
      summary: 'nagios: one line and its exit status 0 to 3.',
    }),
  }

  /** Looks, judges, shows. */
  async run(): Promise<DoctorJson> {
    const {argv, flags} = await this.parse(Doctor)
    const terminal = this.terminal(flags)
    const {openSession} = await import('../src/context.js')
    const opened = await openSession(flags, argv as string[], terminal)
    try {
      const {doctor} = await import('../src/engine/use-cases/doctor.js')
      const looking = doctor(opened.session, {ourVersion: this.config.version, deep: flags.deep})
      // What shows the answer is loaded while the hosts are asked
      const [diagnosis, {doctorJson}, {renderDoctor, renderNagios}] = await Promise.all([
        looking,
        import('../src/ui/views/doctor-json.js'),
        import('../src/ui/views/doctor.js'),
      ])
      const result = doctorJson(diagnosis)
      if (flags.format === 'nagios') {
        const {line, status} = renderNagios(diagnosis)
        this.log(line)
        process.exitCode = status
        return result
      }
      const {renderDoctorExplained} = await import('../src/ui/views/doctor-explain.js')
      return await this.show(
        {
          result,
          cluster: diagnosis.facts.fleet.cluster,
          warnings: opened.session.reachAdvice(),
          exit: diagnosis.exit,
          screen: theme => {
            const layout = {theme, width: terminal.width}
            return flags.explain ? renderDoctorExplained(diagnosis, layout) : renderDoctor(diagnosis, layout)
          },
        },
        terminal,
      )
    } finally {
      await opened.close()
    }
  }
}
