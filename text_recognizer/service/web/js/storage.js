// What the reader has open, kept in the browser (IndexedDB), so that a reload or a crash loses nothing.

const NAME = "text-recognizer";
const STORE = "documents";
let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function transact(mode, action) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = action(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** All documents, oldest first. */
export async function all() {
  const documents = await transact("readonly", (store) => store.getAll());
  return documents.sort((a, b) => a.created - b.created);
}

/** Keep a document as it is now. Resolves once it is on disk. */
export const put = (document) => transact("readwrite", (store) => store.put(document));

export const remove = (key) => transact("readwrite", (store) => store.delete(key));
