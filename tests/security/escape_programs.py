"""The programs of sandbox_escapes: expressions that have a value only outside, and floods that count."""

import re

PRELUDE = """
import ctypes, mmap, os, resource, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def done(result):
    if result < 0: raise OSError(ctypes.get_errno())
    return result
def call(number, *arguments):
    if os.uname().machine != 'x86_64': raise OSError
    return done(libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))
def sent(family, kind, address):
    with socket.socket(family, kind) as client:
        client.settimeout(1); client.connect(address); return client.send(b'x')
def wrote(path, data='x', mode='w'):
    with open(path, mode) as file: return file.write(data)
def descriptors():
    links = ['/proc/self/fd/%d' % n for n in range(64)]
    return [os.readlink(link) for link in links if os.path.lexists(link)]
def known(values):
    return [value for value in values if 'canary-' in value][0]
"""

LOOKS = {
    "read the canary": "open(@FILE).read()",
    "list its folder": "os.listdir(@FOLDER)",
    "stat it": "os.stat(@FILE)",
    "read it through /proc/self/root": "open('/proc/self/root' + @FILE).read()",
    "read it through process 1's root": "open('/proc/1/root' + @FILE).read()",
    "read it through process 1's folder": "open('/proc/1/cwd/..' + @FILE).read()",
    "read it through a link": "os.symlink(@FILE, '/tmp/link') or open('/tmp/link').read()",
    "link it": "os.link(@FILE, '/tmp/linked')",
    "read /etc/passwd": "open('/etc/passwd').read()[:50]",
    "list /root": "os.listdir('/root')",
    "list /home": "os.listdir('/home')",
    "list /sys": "os.listdir('/sys')",
    "list /var": "os.listdir('/var')",
    "signal the host's process": "os.kill(@PID, 0) or 'signalled'",
    "look at the host's process": "os.listdir('/proc/@PID/fd')",
    "knock at the canary's port": "sent(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', @PORT))",
    "send a datagram": "sent(socket.AF_INET, socket.SOCK_DGRAM, ('127.0.0.1', @PORT))",
    "knock at the abstract socket": "sent(socket.AF_UNIX, socket.SOCK_STREAM, chr(0) + @SOCKET)",
    "open a netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).fileno()",
    "open an IPv6 socket": "socket.socket(socket.AF_INET6).fileno()",
    "read the secret from the environment": "known(os.environ.values())",
    "read it from another's environment": "known([open('/proc/%s/environ' % p).read() "
    "for p in os.listdir('/proc') if p.isdigit() and os.access('/proc/%s/environ' % p, os.R_OK)])",
}

ESCAPES = {
    "write the canary": "wrote(@FILE)",
    "remove the canary": "os.remove(@FILE)",
    "write beside it": "wrote(@FOLDER + '/new')",
    "race a link": "[os.replace('/tmp/b', '/tmp/a') for n in range(200) for t in ('/dev/null', @FILE) "
    "if os.symlink(t, '/tmp/b') is None] and open('/tmp/a').read()",
    "write to /usr": "wrote('/usr/canary')",
    "change /usr": "os.chmod('/usr/bin/python3', 0o777)",
    "write to /": "wrote('/canary')",
    "write to /dev": "wrote('/dev/canary')",
    "write to /dev/shm": "wrote('/dev/shm/canary')",
    "preload a library for all": "os.makedirs('/etc') or wrote('/etc/ld.so.preload')",
    "preload a library": "os.environ.update(LD_PRELOAD='/tmp/a.so') "
    "or os.posix_spawn('/usr/bin/id', ['id'], os.environ)",
    "set the core pattern": "wrote('/proc/sys/kernel/core_pattern', '|/tmp/x')",
    "trigger sysrq": "wrote('/proc/sysrq-trigger', 'h')",
    "map ids anew": "wrote('/proc/self/uid_map', '0 65534 1')",
    "adjust the out-of-memory score": "wrote('/proc/self/oom_score_adj', '-1000')",
    "write process 1's memory": "wrote('/proc/1/mem', b'x', 'wb')",
    "write process 1's output": "wrote('/proc/1/fd/1')",
    "read process 1's output's name": "os.readlink('/proc/1/fd/1')",
    "write the parent's output": "wrote('/proc/%d/fd/1' % os.getppid())",
    "read the parent's memory": "open('/proc/%d/maps' % os.getppid()).read()[:50] or 1 // 0",
    "read kernel memory": "open('/proc/kcore', 'rb').read(1)",
    "read /dev/mem": "open('/dev/mem', 'rb').read(1)",
    "make a device": "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0)) or 'made'",
    "find an open file of the host": "[target for target in descriptors() if target != '/dev/null' "
    "and target.startswith(('/', 'socket', 'anon_inode'))][0]",
    "become root": "os.setuid(0) or 'root'",
    "become another": "os.setresuid(1, 1, 1) or 'other'",
    "change groups": "os.setgroups([0]) or 'changed'",
    "resolve a name": "socket.getaddrinfo('example.com', 80)",
    "trace itself": "done(libc.ptrace(0, 0, 0, 0))",
    "trace process 1": "done(libc.ptrace(16, 1, 0, 0))",
    "read another's memory": "call(310, 1, 0, 0, 0, 0, 0)",
    "new user namespace": "done(libc.unshare(0x10000000))",
    "new mount namespace": "done(libc.unshare(0x20000))",
    "clone into a user namespace": "call(56, 0x10000011, 0, 0, 0, 0)",
    "clone3": "call(435, 0, 0)",
    "join a namespace": "done(libc.setns(os.open('/proc/1/ns/mnt', os.O_RDONLY), 0))",
    "mount": "done(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "remount /usr": "done(libc.mount(None, b'/usr', None, 0x20 | 0x1000, None))",
    "unmount": "done(libc.umount2(b'/usr', 2))",
    "change root": "os.chroot('/tmp') or 'changed'",
    "keyrings": "call(250, 0, -3, 1)",
    "bpf": "call(321, 5, 0, 0)",
    "perf_event_open": "call(298, 0, 0, -1, -1, 0)",
    "io_uring": "call(425, 8, 0)",
    "userfaultfd": "call(323, 0)",
    "load a module": "call(313, 0, 0, 0)",
    "take a descriptor of process 1": "call(438, os.pidfd_open(1), 1, 0)",
    "shared memory segment": "done(libc.shmget(0, 1 << 20, 0o1600))",
    "message queue": "done(libc.msgget(0, 0o1600))",
    "semaphores": "done(libc.semget(0, 1, 0o1600))",
    "raise the memory limit": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1)) or 'raised'",
    "raise the process limit": "resource.setrlimit(resource.RLIMIT_NPROC, (64, 64)) or 'raised'",
    "raise its priority": "os.nice(-5) or 'raised'",
    "fork": "os.fork()",
    "start a thread": "__import__('threading').Thread(target=int).start() or 'started'",
    "start a program": "__import__('subprocess').run(['/usr/bin/id'])",
    "fork a daemon": "os.fork() or os.setsid() or os.fork() or time.sleep(60)",
    "vfork": "call(58)",
}

_FLOODS = r"""
## memory, at most 256
def f():
    a = []
    try:
        while True: a.append(bytearray(1 << 20))
    except MemoryError: return len(a)
## shared memory, at most 256
def f():
    a = []
    try:
        while True:
            m = mmap.mmap(-1, 1 << 20)
            m.write(bytes(1 << 20)); a.append(m)
    except OSError: return len(a)
## disk, at most 64
def f():
    n = 0
    try:
        while True: wrote('/tmp/%d' % n, bytes(1 << 20), 'wb'); n += 1
    except OSError: return n
## one large file, at most 1
def f():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open('/tmp/a', 'wb') as a:
        n = 0
        try:
            while True: n += os.write(a.fileno(), bytes(1 << 16))
        except OSError: return n >> 20
## memory files, at most 16
def f():
    a = []
    try:
        while True:
            a.append(os.memfd_create('a'))
            os.write(a[-1], bytes(1 << 20))
    except OSError: return len(a)
## empty files, at most 1000000
def f():
    n = 0; end = time.monotonic() + 1
    while time.monotonic() < end:
        os.close(os.open('/tmp/%d' % n, os.O_CREAT)); n += 1
    return n
## descriptors, at most 16
def f():
    n = 0
    try:
        while True: os.dup(0); n += 1
    except OSError: return n
## forks, at most 0
def f():
    n = 0
    try:
        while n < 400:
            if os.fork() == 0: time.sleep(9)
            n += 1
    except OSError: return 1 // n
## printing, at most 1
def f():
    end = time.monotonic() + 1
    while time.monotonic() < end: print('x' * 100_000)
    return 1
## a long result, at most 0
def f(): return 'x' * 50_000_000
## the result pipe, at most 0
def f():
    for d in range(3, 16):
        try:
            while True: os.write(d, b'x' * 65536)
        except OSError: pass
## nesting in the result pipe, at most 0
for d in range(3, 16):
    try: os.write(d, b'[' * 60_000 + b'\n')
    except OSError: pass
os._exit(0)
## sleep, at most 0
def f(): time.sleep(60); return 'woke'
## a loop, at most 0
def f():
    while True: pass
## a loop that ignores signals, at most 0
def f():
    for n in range(1, 64):
        try: signal.signal(n, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True: pass
## a large power, at most 0
def f(): return 9 ** 9 ** 9
## a slow pattern, at most 0
import re
def f(): return re.match('(a+)+$', 'a' * 40 + 'b') or time.sleep(9)
## endless recursion, at most 0
sys.setrecursionlimit(10 ** 8)
def f(n=0): return f(n + 1)
## a null pointer, at most 0
def f(): return ctypes.string_at(0)
## abort, at most 0
def f(): os.abort()
## kill everything, at most 1
def f():
    os.kill(1, 9)
    os.kill(-1, 9)
    return 1
## stop the supervisor, at most 1
def f():
    os.kill(os.getppid(), signal.SIGSTOP)
    return 1
## close everything, at most 0
def f():
    os.closerange(0, 64)
    return 'closed'
## deep source, at most 1
def f(): return eval('(' * 150 + '1' + ')' * 150)
## a syntax error, at most 0
def f(:
"""


def _read(text: str) -> dict[str, tuple[str, int]]:
    """name -> (program, the largest number that f() may return; 0: it may not return)."""
    sections = re.findall(r"^## (.*), at most (\d+)\n((?:(?!## ).*\n)*)", text, re.MULTILINE)
    return {name: (code, int(most)) for name, most, code in sections}


FLOODS = _read(_FLOODS)
