// SPDX-License-Identifier: GPL-2.0-only

/*
 * Says what kind of root it has, whether the root can be written to, and whether
 * the file beside it is whole. Then it ends the machine.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>

/* as vmtest.sh makes it */
#define DATA_SIZE	(1024 * 1024)

static char buffer[4096];

/* the filesystem that was mounted last on / */
static const char *root_type(void)
{
	static char type[32] = "none";
	ssize_t len;
	char *line;
	int fd;

	fd = open("/proc/mounts", O_RDONLY);
	if (fd < 0)
		return type;
	len = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	if (len < 0)
		return type;
	buffer[len] = 0;

	for (line = buffer; line && *line; line = strchr(line, '\n')) {
		char *place, *name, *end;

		while (*line == '\n')
			line++;
		place = strchr(line, ' ');
		if (!place || strncmp(place, " / ", 3))
			continue;
		name = place + 3;
		end = strchr(name, ' ');
		if (!end || end - name >= (int)sizeof(type))
			continue;
		memcpy(type, name, end - name);
		type[end - name] = 0;
	}
	return type;
}

static int is_writable(void)
{
	int fd = open("/written", O_CREAT | O_WRONLY, 0600);
	ssize_t len;

	if (fd < 0)
		return 0;
	len = write(fd, "x", 1);
	close(fd);
	return len == 1;
}

/* each byte is the number of its block, which is 4096 bytes long */
static int is_whole(void)
{
	int fd = open("/data", O_RDONLY);
	long block, byte;

	if (fd < 0)
		return 0;
	for (block = 0; block < DATA_SIZE / (long)sizeof(buffer); block++) {
		if (read(fd, buffer, sizeof(buffer)) != sizeof(buffer))
			break;
		for (byte = 0; byte < (long)sizeof(buffer); byte++)
			if (buffer[byte] != (char)block)
				break;
		if (byte < (long)sizeof(buffer))
			break;
	}
	close(fd);
	return block == DATA_SIZE / (long)sizeof(buffer);
}

int main(int argc, char *argv[])
{
	int error = mount("proc", "/proc", "proc", 0, NULL);

	printf("selftest: root=%s written=%d whole=%d\n",
	       error ? "unknown" : root_type(), is_writable(), is_whole());
	/* the serial port sends it before that */
	reboot(RB_AUTOBOOT);
	return -1;
}
