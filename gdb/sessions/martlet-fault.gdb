# machine: vectors
# 'martlet exception-frame' of a call to the system and of a fault, without symbols.

source gdb/martlet.gdb
set disassemble-next-line off
eval "martlet %d", $port
echo \n[a call to the system]\n
stepi
stepi
martlet exception-frame
echo \n[a fault]\n
monitor catch hard_err
continue
continue
martlet exception-frame
martlet registers interrupt_controller.CFSR
print/x $_device_register("interrupt_controller.HFSR")
set width 60
martlet exception-frame
set width 0
martlet exception-frame $sp
