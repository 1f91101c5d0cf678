/** Questions to the operator, on a terminal only. Each resolves to undefined when the operator leaves. */
export interface Prompt {
  readonly interactive: boolean
  confirm(question: string): Promise<boolean | undefined>
  text(question: string): Promise<string | undefined>
  password(question: string): Promise<string | undefined>
  choose<T extends string>(
    question: string,
    options: readonly {readonly value: T; readonly label: string}[],
  ): Promise<T | undefined>
  chooseSeveral<T extends string>(
    question: string,
    options: readonly {readonly value: T; readonly label: string; readonly checked?: boolean}[],
  ): Promise<readonly T[] | undefined>
}
