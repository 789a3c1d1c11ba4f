// Lets the search run in pages that are opened from the file system, where browsers refuse to start a worker: its script
// runs in a hidden frame instead. The name keeps mkdocs-material's offline plugin from loading such a script from a CDN.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #ready
    #scope

    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.#scope = frame.contentWindow
      this.#scope.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      this.#scope.importScripts = async (...urls) => {
        for (const each of urls) await this.#load(each)
      }
      this.#ready = this.#load(url)
    }

    async postMessage(data) {
      await this.#ready
      this.#scope.dispatchEvent(new MessageEvent("message", { data }))
    }

    #load(url) {
      return new Promise((resolve, reject) => {
        const script = this.#scope.document.createElement("script")
        script.src = new URL(url, document.baseURI)
        script.onload = resolve
        script.onerror = reject
        this.#scope.document.head.append(script)
      })
    }
  }
}
