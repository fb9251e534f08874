#define _GNU_SOURCE
#include "Child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/// In the child: only calls that are safe between fork and exec.
static void become(char *const arguments[], int output, int messages, int parent, uint64_t memory, uint32_t seconds) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  struct rlimit space = {memory, memory}, time = {seconds, seconds + 1}, core = {0, 0};
  setrlimit(RLIMIT_AS, &space);
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &core);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(messages, 2) < 0) _exit(127);
  execv(arguments[0], arguments);
  _exit(127);
}

int chost_child_start(chost_child *child, char *const arguments[], uint64_t memory, uint32_t seconds) {
  int output[2], messages[2];
  if (pipe2(output, O_CLOEXEC) != 0) return -errno;
  if (pipe2(messages, O_CLOEXEC) != 0) {
    int error = errno;
    close(output[0]);
    close(output[1]);
    return -error;
  }
  int parent = getpid();
  child->process = fork();
  int error = errno;
  if (child->process == 0) become(arguments, output[1], messages[1], parent, memory, seconds);
  close(output[1]);
  close(messages[1]);
  child->output = output[0];
  child->messages = messages[0];
  if (child->process > 0) return 0;
  close(output[0]);
  close(messages[0]);
  return -error;
}

int chost_child_end(chost_child *child) {
  close(child->output);
  close(child->messages);
  int status = 0;
  while (waitpid(child->process, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The environment, and LESS if it is not set there; to be freed.
static char **environment_with(char *less) {
  size_t count = 0;
  while (environ[count]) count++;
  char **variables = malloc((count + 2) * sizeof *variables);
  if (!variables) return NULL;
  for (size_t index = 0; index < count; index++) variables[index] = environ[index];
  variables[count] = getenv("LESS") ? NULL : less;
  variables[count + 1] = NULL;
  return variables;
}

int chost_pager_start(const char *command, const char *less, int *process, int *input) {
  char option[64];
  snprintf(option, sizeof option, "LESS=%s", less);
  char **variables = environment_with(option);
  if (!variables) return -ENOMEM;
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) {
    int error = errno;
    free(variables);
    return -error;
  }
  int parent = getpid();
  int child = fork();
  if (child < 0) {
    int error = errno;
    close(pipes[0]);
    close(pipes[1]);
    free(variables);
    return -error;
  }
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(1, getpid());
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(pipes[0], 0) < 0) _exit(127);
    execle("/bin/sh", "sh", "-c", command, (char *)NULL, variables);
    _exit(127);
  }
  free(variables);
  // Whichever of the two is first.
  setpgid(child, child);
  close(pipes[0]);
  *process = child;
  *input = pipes[1];
  return 0;
}

static void take_terminal(int group) {
  sigset_t output, before;
  sigemptyset(&output);
  sigaddset(&output, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &output, &before);
  tcsetpgrp(1, group);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void chost_pager_end(int process) {
  int status = 0;
  for (;;) {
    int found = waitpid(process, &status, WUNTRACED);
    if (found < 0 && errno == EINTR) continue;
    if (found < 0 || !WIFSTOPPED(status)) break;
    // There is no shell that would let it go on.
    take_terminal(process);
    kill(-process, SIGCONT);
  }
  take_terminal(getpgrp());
}

void chost_pager_stop(int process, int signal) {
  kill(-process, signal);
  kill(-process, SIGCONT);
}
