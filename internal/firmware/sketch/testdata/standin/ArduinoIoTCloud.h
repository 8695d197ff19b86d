// Stand-in: the library as sketches see it. It writes down what it is told.
#pragma once

#include <AIoTC_Config.h>
#include <Arduino_ConnectionHandler.h>

#define SECONDS 1
#define MINUTES 60
#define ON_CHANGE (-1)

enum class Permission { Read, Write, ReadWrite };
typedef enum { READ = 0x01, WRITE = 0x02, READWRITE = READ | WRITE } permissionType;

class Property;
typedef void (*UpdateCallbackFunc)(void);
typedef void (*OnSyncCallbackFunc)(Property &);
inline void CLOUD_WINS(Property &) {}
inline void DEVICE_WINS(Property &) {}

class Property {
public:
  Property &onUpdate(UpdateCallbackFunc f) { if (f) printf(" onUpdate"); return *this; }
  Property &onSync(OnSyncCallbackFunc f) { printf(f == CLOUD_WINS ? " cloud-wins" : " onSync"); return *this; }
  Property &publishOnChange(float delta, unsigned long = 0) { printf(" delta=%g", static_cast<double>(delta)); return *this; }
  Property &publishEvery(unsigned long const seconds) { printf(" every=%lu", seconds); return *this; }
  Property &publishOnDemand() { return *this; }
};

class CloudFloat : public Property { public: operator float() const { return 0; } CloudFloat &operator=(float) { return *this; } };
class CloudInt : public Property { public: operator int() const { return 0; } CloudInt &operator=(int) { return *this; } };
class CloudUnsignedInt : public Property { public: operator unsigned int() const { return 0; } CloudUnsignedInt &operator=(unsigned int) { return *this; } };
class CloudBool : public Property { public: operator bool() const { return false; } CloudBool &operator=(bool) { return *this; } };
class CloudString : public Property {};

class CloudAcceleration : public CloudFloat {};
class CloudAngle : public CloudFloat {};
class CloudArea : public CloudFloat {};
class CloudCapacitance : public CloudFloat {};
class CloudCounter : public CloudInt {};
class CloudDataRate : public CloudFloat {};
class CloudElectricCurrent : public CloudFloat {};
class CloudElectricPotential : public CloudFloat {};
class CloudElectricResistance : public CloudFloat {};
class CloudEnergy : public CloudFloat {};
class CloudFlowRate : public CloudFloat {};
class CloudForce : public CloudFloat {};
class CloudFrequency : public CloudFloat {};
class CloudHeartRate : public CloudFloat {};
class CloudIlluminance : public CloudFloat {};
class CloudInformationContent : public CloudInt {};
class CloudLength : public CloudFloat {};
class CloudLogarithmicQuantity : public CloudFloat {};
class CloudLuminance : public CloudFloat {};
class CloudLuminousFlux : public CloudFloat {};
class CloudLuminousIntensity : public CloudFloat {};
class CloudMass : public CloudFloat {};
class CloudPercentage : public CloudFloat {};
class CloudRelativeHumidity : public CloudFloat {};
class CloudPower : public CloudFloat {};
class CloudPressure : public CloudFloat {};
class CloudTemperature : public CloudFloat {};
class CloudTime : public CloudUnsignedInt {};
class CloudVelocity : public CloudFloat {};
class CloudVolume : public CloudFloat {};
class CloudContactSensor : public CloudBool {};
class CloudMotionSensor : public CloudBool {};
class CloudLight : public CloudBool {};
class CloudSmartPlug : public CloudBool {};
class CloudSwitch : public CloudBool {};
class CloudTemperatureSensor : public CloudFloat {};
class CloudColor : public Property {};
class CloudLocation : public Property {};
class CloudSchedule : public Property {};
class CloudColoredLight : public Property {};
class CloudDimmedLight : public Property {};
class CloudTelevision : public Property {};

class ArduinoIoTCloudTCP {
public:
  int begin(ConnectionHandler &, bool const watchdog = true, String host = "iot.arduino.cc", uint16_t port = 0, bool = true) {
    printf("\nbegin %s:%u watchdog=%d", host.c_str(), static_cast<unsigned>(port), watchdog);
    return 1;
  }
  void update() { printf("\nupdate\n"); }
  void printDebugInfo() {}
#ifdef BOARD_HAS_SECRET_KEY
  void setBoardId(String const id) { printf("\nboard %s", id.c_str()); }
  void setSecretDeviceKey(String const key) { printf("\nkey \"%s\"", key.c_str()); }
#endif

#define addProperty(v, ...) addPropertyReal(v, #v, __VA_ARGS__)
  Property &addPropertyReal(Property &p, String name, Permission const permission) { return added(p, name, permission); }
  Property &addPropertyReal(bool &, String name, Permission const permission) { return added(wrapped, name, permission); }
  Property &addPropertyReal(float &, String name, Permission const permission) { return added(wrapped, name, permission); }
  Property &addPropertyReal(int &, String name, Permission const permission) { return added(wrapped, name, permission); }
  Property &addPropertyReal(unsigned int &, String name, Permission const permission) { return added(wrapped, name, permission); }
  Property &addPropertyReal(String &, String name, Permission const permission) { return added(wrapped, name, permission); }

private:
  Property wrapped;
  Property &added(Property &p, String const &name, Permission const permission) {
    printf("\nproperty %s %s", name.c_str(), permission == Permission::Read ? "read" : permission == Permission::ReadWrite ? "readwrite" : "write");
    return p;
  }
};
extern ArduinoIoTCloudTCP ArduinoCloud;

void setDebugMessageLevel(int const level);
