#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct { long id, age, score; } Person;
enum { N = 150000 };
static Person *all[N], *s[N];
static int by_age(const void *x, const void *y) {
  const Person *a = *(Person **)x, *b = *(Person **)y;
  if (a->age != b->age) return a->age < b->age ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}
static int by_score(const void *x, const void *y) {
  const Person *a = *(Person **)x, *b = *(Person **)y;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}
static int by_id(const void *x, const void *y) {
  const Person *a = *(Person **)x, *b = *(Person **)y;
  return a->id < b->id ? -1 : a->id > b->id;
}
static void sort(int (*f)(const void *, const void *)) {
  memcpy(s, all, sizeof s);
  qsort(s, N, sizeof *s, f);
}
static long checksum(void) {
  long n = 0;
  for (int i = 0; i < N; i++) n = (n * 31 + s[i]->id) % 1000003;
  return n;
}
int main(void) {
  long seed = 42, n = 0;
  for (int i = 0; i < N; i++) {
    seed = seed * 16807 % 2147483647;
    all[i] = malloc(sizeof(Person));
    *all[i] = (Person){seed, seed % 80, seed % 1000};
  }
  sort(by_age);
  for (int i = 1; i < N; i++) n += s[i]->score < s[i - 1]->score;
  printf("%ld\n%ld\n", checksum(), n);
  sort(by_score);
  printf("%ld\n", checksum());
  sort(by_id);
  printf("%ld\n", checksum());
}
