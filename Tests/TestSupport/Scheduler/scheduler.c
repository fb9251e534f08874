// Owns a scheduler for tests: five tasks that give the CPU up by themselves, in structures and under names that are
// FreeRTOS's. What it does with them is its own.

typedef __UINTPTR_TYPE__ word;
typedef unsigned char byte;

struct list;
typedef struct item { word value; struct item *next, *previous; void *owner; struct list *container; } item;
typedef struct list { word count; item *index; struct { word value; item *next, *previous; } end; } list;
typedef struct task {
  word *top;
  item state, event;
  word priority;
  word *stack;
  char name[16];
} task;

enum { PRIORITIES = 4, STACK_WORDS = 128, TASKS = 5 };

list pxReadyTasksLists[PRIORITIES], xDelayedTaskList1, xDelayedTaskList2, xSuspendedTaskList, xPendingReadyList;
task *volatile pxCurrentTCB;
word uxCurrentNumberOfTasks, xSchedulerRunning;

static list queue;
static task tasks[TASKS];
static word stacks[TASKS][STACK_WORDS] __attribute__((aligned(16)));
volatile word counters[2];

word *first_frame(word *end, void (*body)(word), word argument);
void switch_task(void);
void start_first_task(void);

static void make_list(list *l) {
  l->count = 0;
  l->index = (item *)&l->end;
  l->end.value = ~(word)0;
  l->end.next = l->end.previous = (item *)&l->end;
}

static void append(list *l, item *i) {
  item *end = (item *)&l->end;
  i->next = end;
  i->previous = end->previous;
  end->previous->next = i;
  end->previous = i;
  i->container = l;
  l->count++;
}

static void take_out(item *i) {
  i->next->previous = i->previous;
  i->previous->next = i->next;
  i->container->count--;
  i->container = 0;
}

// Called by the switch, in a handler: the next ready task of the highest priority, one after the other.
void choose_task(void) {
  for (int priority = PRIORITIES - 1; priority >= 0; priority--) {
    list *l = &pxReadyTasksLists[priority];
    if (l->count == 0) continue;
    item *i = l->end.next;
    take_out(i);
    append(l, i);
    pxCurrentTCB = i->owner;
    return;
  }
}

__attribute__((noinline)) void block_on(list *l, list *event) {
  task *self = pxCurrentTCB;
  take_out(&self->state);
  append(l, &self->state);
  if (event) append(event, &self->event);
  switch_task();
}

__attribute__((noinline)) void count_one(word which) {
  counters[which] += 1;
  switch_task();
}

static void count(word which) {
  for (;;) count_one(which);
}

static void sleep(word argument) {
  for (;;) block_on(&xDelayedTaskList1, 0);
}

static void wait(word argument) {
  for (;;) block_on(&xSuspendedTaskList, &queue);
}

static void park(word argument) {
  for (;;) block_on(&xSuspendedTaskList, 0);
}

static void add(task *t, word *stack, const char *name, word priority, void (*body)(word), word argument) {
  for (int i = 0; i < STACK_WORDS; i++) stack[i] = (word)0xA5A5A5A5A5A5A5A5;
  t->stack = stack;
  t->top = first_frame(stack + STACK_WORDS, body, argument);
  t->priority = priority;
  for (int i = 0; name[i]; i++) t->name[i] = name[i];
  t->state.owner = t->event.owner = t;
  append(&pxReadyTasksLists[priority], &t->state);
  uxCurrentNumberOfTasks++;
  pxCurrentTCB = t;
}

int main(void) {
  xSchedulerRunning = uxCurrentNumberOfTasks = 0;
  for (int i = 0; i < PRIORITIES; i++) make_list(&pxReadyTasksLists[i]);
  list *others[] = {&xDelayedTaskList1, &xDelayedTaskList2, &xSuspendedTaskList, &xPendingReadyList, &queue};
  for (int i = 0; i < 5; i++) make_list(others[i]);
  add(&tasks[0], stacks[0], "count 0", 1, count, 0);
  add(&tasks[1], stacks[1], "count 1", 1, count, 1);
  add(&tasks[2], stacks[2], "sleeper", 2, sleep, 0);
  add(&tasks[3], stacks[3], "waiter", 3, wait, 0);
  add(&tasks[4], stacks[4], "parked", 2, park, 0);
  choose_task();
  xSchedulerRunning = 1;
  start_first_task();
  for (;;) {}
}
