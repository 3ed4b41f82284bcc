// Counts lines and words of a file, a line at a time, with a table that grows.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char* word;
  size_t size;
  unsigned long hash;
  long count;
} Entry;

static Entry* table;
static size_t capacity = 1024, used;

static Entry* find(const char* word, size_t size, unsigned long hash) {
  size_t i = hash & (capacity - 1);
  while (table[i].word &&
         (table[i].hash != hash || table[i].size != size || memcmp(table[i].word, word, size))) {
    i = (i + 1) & (capacity - 1);
  }
  return &table[i];
}

static void grow(void) {
  Entry* old = table;
  size_t old_capacity = capacity;
  capacity *= 2;
  table = calloc(capacity, sizeof(Entry));
  for (size_t i = 0; i < old_capacity; ++i) {
    if (old[i].word) *find(old[i].word, old[i].size, old[i].hash) = old[i];
  }
  free(old);
}

static void add(const char* word, size_t size) {
  unsigned long hash = 14695981039346656037UL;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ (unsigned char)word[i]) * 1099511628211UL;
  hash ^= hash >> 29;
  Entry* entry = find(word, size, hash);
  if (!entry->word) {
    if (2 * ++used > capacity) {
      grow();
      entry = find(word, size, hash);
    }
    entry->word = malloc(size + 1);
    memcpy(entry->word, word, size);
    entry->word[size] = 0;
    entry->size = size;
    entry->hash = hash;
  }
  ++entry->count;
}

static int order(const void* a, const void* b) {
  const Entry *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  return strcmp(x->word ? x->word : "", y->word ? y->word : "");
}

int main(int argc, char** argv) {
  FILE* file = argc > 1 ? fopen(argv[1], "r") : NULL;
  if (!file) return 2;
  table = calloc(capacity, sizeof(Entry));
  char* line = NULL;
  size_t room = 0;
  ssize_t size;
  long lines = 0, words = 0;
  while ((size = getline(&line, &room, file)) > 0) {
    ++lines;
    if (line[size - 1] == '\n') --size;
    for (ssize_t i = 0; i < size;) {
      while (i < size && line[i] == ' ') ++i;
      ssize_t from = i;
      while (i < size && line[i] != ' ') ++i;
      if (i > from) {
        add(line + from, (size_t)(i - from));
        ++words;
      }
    }
  }
  qsort(table, capacity, sizeof(Entry), order);
  printf("%ld lines, %ld words, %zu different\n", lines, words, used);
  for (int i = 0; i < 5; ++i) printf("%s %ld\n", table[i].word, table[i].count);
  return 0;
}
