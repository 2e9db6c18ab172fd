// What the reader has open, kept in the browser (IndexedDB), so that a reload or a crash loses nothing.
// Pictures lie in a store of their own, written once: a correction rewrites a few kilobytes, not the scan.

const NAME = "text-recognizer";
let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("documents", { keyPath: "key" });
      request.result.createObjectStore("blobs"); // key/file, key/0, key/1, ...
      request.result.createObjectStore("forgotten"); // readings that the server is still to delete
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function transact(stores, mode, action) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(stores, mode);
    const request = action(...stores.map((name) => transaction.objectStore(name)));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
    transaction.commit(); // at once: a page that is being left cannot answer the browser any more
  });
}

const blob = (name) => transact(["blobs"], "readonly", (blobs) => blobs.get(name));

/** All documents, oldest first, with their files and pictures. */
export async function all() {
  const documents = await transact(["documents"], "readonly", (store) => store.getAll());
  for (const document of documents) {
    document.file = await blob(`${document.key}/file`);
    for (const [number, page] of document.pages.entries()) {
      page.picture = page.pictured ? await blob(`${document.key}/${number}`) : null;
    }
  }
  return documents.filter((document) => document.file).sort((a, b) => a.created - b.created);
}

/** Keep a document as it is now, without its pictures. Resolves once it is on disk. */
export function put(document) {
  const bare = (pages) => pages?.map(({ picture, ...page }) => ({ ...page, pictured: Boolean(picture) }));
  const { file, ...rest } = document;
  const pages = { pages: bare(document.pages), before: bare(document.before) };
  return transact(["documents"], "readwrite", (store) => store.put({ ...rest, ...pages }));
}

/** Keep the file of a document ("file"), or the picture of a page (its number). */
export const putBlob = (key, name, data) => transact(["blobs"], "readwrite", (blobs) => blobs.put(data, `${key}/${name}`));

export function remove(key) {
  const range = IDBKeyRange.bound(`${key}/`, `${key}/\uffff`);
  return transact(["documents", "blobs"], "readwrite", (documents, blobs) => {
    documents.delete(key);
    blobs.delete(range);
  });
}

/** Identifiers of readings that the server is still to delete. */
export const forgotten = () => transact(["forgotten"], "readonly", (store) => store.getAllKeys());
export const forget = (id) => transact(["forgotten"], "readwrite", (store) => store.put(true, id));
export const forgetDone = (id) => transact(["forgotten"], "readwrite", (store) => store.delete(id));

/** Whether this tab alone may write: two tabs would overwrite each other's corrections. */
export function claim() {
  if (!navigator.locks) return Promise.resolve(true); // pages that come without HTTPS have no locks
  return new Promise((resolve) => {
    navigator.locks.request(NAME, { ifAvailable: true }, (lock) => {
      resolve(Boolean(lock));
      return lock && new Promise(() => {}); // held until the tab closes
    });
  });
}
