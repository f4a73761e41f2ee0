/** Whether the router serves: from the end of its start until it begins to stop. */
export class Readiness {
  #isReady = false;

  get isReady(): boolean {
    return this.#isReady;
  }

  begin(): void {
    this.#isReady = true;
  }

  end(): void {
    this.#isReady = false;
  }
}
